//! The Vigenère cipher as a component of the world
//! `runner:cipher/encoder-decoder-service`.
//!
//! The crate `vigenere-cipher` has the cipher; this crate reads the configuration and appends
//! one audit entry per call.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

use alloc::string::{String, ToString};

use bindings::exports::runner::cipher::cipher::{Error, Guest};
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
        path: "../../../wit",
        world: "runner:cipher/encoder-decoder-service",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

struct Component;

impl Guest for Component {
    fn encrypt(message: String) -> Result<String, Error> {
        let key = audited("encrypt", &message)?;
        Ok(key.encrypt(message))
    }

    fn decrypt(message: String) -> Result<String, Error> {
        let key = audited("decrypt", &message)?;
        Ok(key.decrypt(message))
    }
}

/// Returns the key after the audit log has accepted the entry: no message is transformed
/// without an audit entry.
fn audited(action: &str, message: &str) -> Result<Key, Error> {
    let key = Key::from_environment(&environment::get_environment());
    let outcome = match key {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure,
    };
    audit::record("vigenere", action, outcome, message.len()).map_err(Error::Unaudited)?;
    key.map_err(|error| Error::Misconfigured(error.to_string()))
}
