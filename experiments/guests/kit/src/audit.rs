//! The audit entry of a cipher call.

use alloc::string::{String, ToString};
use alloc::vec;

use crate::bindings::runner::audit::audit_log::{Attribute, Entry, Error, append};

pub use crate::bindings::runner::audit::audit_log::Outcome;

/// Appends the entry of one call: `action` by `cipher` on a message of `message_bytes` bytes,
/// without the content of the message.
///
/// # Errors
///
/// Returns the message of the audit log if it rejects the entry. The call must not transform
/// the message then.
pub fn record(
    cipher: &str,
    action: &str,
    outcome: Outcome,
    message_bytes: usize,
) -> Result<(), String> {
    let entry = Entry {
        action: action.to_string(),
        outcome,
        resource: Some(cipher.to_string()),
        attributes: vec![Attribute {
            name: "message-bytes".to_string(),
            value: message_bytes.to_string(),
        }],
    };
    match append(&entry) {
        Ok(_) => Ok(()),
        Err(
            Error::Unavailable(why)
            | Error::TooLarge(why)
            | Error::Invalid(why)
            | Error::QuotaExceeded(why),
        ) => Err(why),
    }
}
