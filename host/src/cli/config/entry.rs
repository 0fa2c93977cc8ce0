//! One value that a file gives to a flag.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{Error, Id};

use super::failure;

/// One value that a file gives to a flag.
pub(super) struct Entry {
    /// The flag, as clap calls it.
    pub(super) id: Id,
    /// Its name without the dashes.
    pub(super) key: String,
    pub(super) value: String,
    /// The file and the line.
    pub(super) place: String,
    /// What an error shows of it.
    pub(super) shown: String,
}

impl Entry {
    /// What would be on the command line.
    pub(super) fn word(&self) -> OsString {
        format!("--{}={}", self.key, self.value).into()
    }

    /// Says what is wrong with the value, in the words of its parser.
    pub(super) fn refused_by(&self, error: &Error) -> Error {
        self.refused(&reason(error))
    }

    /// Says what is wrong with the value.
    pub(super) fn refused(&self, why: &str) -> Error {
        refused(&self.place, &self.shown, why)
    }
}

/// Says what is wrong with something in a file.
pub(super) fn refused(place: &str, shown: &str, why: &str) -> Error {
    failure(&format!("{place}: `{shown}`: {why}"))
}

/// What a parser says of a value, without the flag and the value.
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

/// A value without what may be a password before an `@`.
pub(super) fn without_login(value: &str) -> String {
    let Some((login, rest)) = value.rsplit_once('@') else {
        return value.to_owned();
    };
    match login.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://…@{rest}"),
        None => format!("…@{rest}"),
    }
}
