//! Entries of a configuration file: one value of one flag.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{Error, Id};

use super::failure;

/// One value of one flag in a file.
pub(super) struct Entry {
    /// The id of the flag in clap.
    pub(super) id: Id,
    /// The name of the flag without dashes.
    pub(super) key: String,
    pub(super) value: String,
    /// `FILE:LINE`.
    pub(super) place: String,
    /// The entry as errors show it, without secrets.
    pub(super) shown: String,
}

impl Entry {
    /// The entry as a command-line argument.
    pub(super) fn word(&self) -> OsString {
        format!("--{}={}", self.key, self.value).into()
    }

    /// The error of the value's parser, with file and line.
    pub(super) fn rejected_by(&self, error: &Error) -> Error {
        self.rejected(&reason(error))
    }

    /// An error about the value, with file and line.
    pub(super) fn rejected(&self, why: &str) -> Error {
        rejected(&self.place, &self.shown, why)
    }
}

/// An error about an entry of a file.
pub(super) fn rejected(place: &str, shown: &str, why: &str) -> Error {
    failure(&format!("{place}: `{shown}`: {why}"))
}

/// The reason in a parser's error, without flag and value.
fn reason(error: &Error) -> String {
    if let Some(source) = error.source() {
        return source.to_string();
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => {
            let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
            format!("expected {}", values.join(" or "))
        }
        _ => "expected a value that is not empty".to_owned(),
    }
}

/// A value without the part before an `@`, which may be a password.
pub(super) fn without_login(value: &str) -> String {
    let Some((login, rest)) = value.rsplit_once('@') else {
        return value.to_owned();
    };
    match login.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://…@{rest}"),
        None => format!("…@{rest}"),
    }
}
