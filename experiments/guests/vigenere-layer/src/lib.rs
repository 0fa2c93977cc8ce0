//! The Vigenère cipher in front of another cipher: a component of the world
//! `runner:experiments/cipher-layer`.
//!
//! The crate `vigenere-cipher` has the cipher; this crate reads the configuration, appends one
//! audit entry per call, and calls the inner cipher.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

use alloc::string::{String, ToString};

use bindings::exports::runner::cipher::cipher::{Error, Guest};
use bindings::runner::cipher::cipher as inner;
use bindings::wasi::cli0_2_12::environment;
use guest_kit::audit::{self, Outcome};
use vigenere_cipher::Key;

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: ["../../../wit", "../../../wit/experiments"],
        world: "runner:experiments/cipher-layer",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

struct Component;

impl Guest for Component {
    fn encrypt(message: String) -> Result<String, Error> {
        let key = audited("encrypt", &message)?;
        inner::encrypt(&key.encrypt(message)).map_err(convert)
    }

    fn decrypt(message: String) -> Result<String, Error> {
        let key = audited("decrypt", &message)?;
        Ok(key.decrypt(inner::decrypt(&message).map_err(convert)?))
    }
}

/// Returns the key after the audit log has accepted the entry: no message is transformed or
/// passed to the inner cipher without an audit entry.
fn audited(action: &str, message: &str) -> Result<Key, Error> {
    let key = Key::from_environment(&environment::get_environment());
    let outcome = match key {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure,
    };
    audit::record("vigenere-layer", action, outcome, message.len()).map_err(Error::Unaudited)?;
    key.map_err(|error| Error::Misconfigured(error.to_string()))
}

/// Converts an error of the imported interface to the exported one.
fn convert(error: inner::Error) -> Error {
    match error {
        inner::Error::Misconfigured(why) => Error::Misconfigured(why),
        inner::Error::Unaudited(why) => Error::Unaudited(why),
    }
}
