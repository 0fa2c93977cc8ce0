//! The entry that every call of a cipher leaves.

use alloc::string::{String, ToString};
use alloc::vec;

use crate::bindings::runner::audit::audit_log::{Attribute, Entry, Error, append};

pub use crate::bindings::runner::audit::audit_log::Outcome;

/// Leaves the entry of one call: `action` on a message of so many bytes, by this
/// `cipher`. The message itself stays out of it.
///
/// # Errors
///
/// Returns the audit log's own words if it refuses the entry. Then the call must
/// not do anything.
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
