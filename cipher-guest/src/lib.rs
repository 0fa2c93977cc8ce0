//! A Caesar cipher as a component of the world
//! `runner:cipher/encoder-decoder-service`.
//!
//! - [`caesar`]: the cipher, independent of components
//! - this file: the bindings, the configuration, and one audit entry per call
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

mod caesar;

use alloc::string::{String, ToString};
use alloc::vec;

use bindings::exports::runner::cipher::cipher::{Error, Guest};
use bindings::runner::audit::audit_log::{self, Attribute, Entry, Outcome};
use bindings::wasi::cli0_2_12::environment;
use caesar::Shift;

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: "../wit",
        world: "runner:cipher/encoder-decoder-service",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

struct Component;

impl Guest for Component {
    fn encrypt(message: String) -> Result<String, Error> {
        audited("encrypt", message, Shift::encrypt)
    }

    fn decrypt(message: String) -> Result<String, Error> {
        audited("decrypt", message, Shift::decrypt)
    }
}

/// Runs `transform` after the audit log has accepted the entry: no message is transformed
/// without an audit entry.
fn audited(
    action: &str,
    message: String,
    transform: impl FnOnce(Shift, String) -> String,
) -> Result<String, Error> {
    let shift = Shift::from_environment(&environment::get_environment());
    let outcome = match shift {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure,
    };
    let entry = Entry {
        action: action.to_string(),
        outcome,
        resource: Some("caesar".to_string()),
        attributes: vec![Attribute {
            name: "message-bytes".to_string(),
            value: message.len().to_string(),
        }],
    };
    audit_log::append(&entry).map_err(|error| Error::Unaudited(error_message(error)))?;
    match shift {
        Ok(shift) => Ok(transform(shift, message)),
        Err(error) => Err(Error::Misconfigured(error.to_string())),
    }
}

/// The message of the audit log's error.
fn error_message(error: audit_log::Error) -> String {
    match error {
        audit_log::Error::Unavailable(why)
        | audit_log::Error::TooLarge(why)
        | audit_log::Error::Invalid(why)
        | audit_log::Error::QuotaExceeded(why) => why,
    }
}
