//! ROT13 as a component of the world `runner:experiments/fixed-cipher`.
//!
//! - [`rot13`]: the cipher, independent of components
//! - this file: the bindings, and one audit entry per call
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

mod rot13;

use alloc::string::String;

use bindings::exports::runner::cipher::cipher::{Error, Guest};
use guest_kit::audit::{self, Outcome};

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: ["../../../wit", "../../../wit/experiments"],
        world: "runner:experiments/fixed-cipher",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

struct Component;

impl Guest for Component {
    fn encrypt(message: String) -> Result<String, Error> {
        audited("encrypt", message)
    }

    fn decrypt(message: String) -> Result<String, Error> {
        audited("decrypt", message)
    }
}

/// Rotates, which both encrypts and decrypts, after the audit log has accepted the entry.
fn audited(action: &str, message: String) -> Result<String, Error> {
    audit::record("rot13", action, Outcome::Success, message.len()).map_err(Error::Unaudited)?;
    Ok(rot13::rotate(message))
}
