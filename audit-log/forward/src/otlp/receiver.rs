//! Where a receiver is, as a URL names it.

use std::fmt;
use std::str::FromStr;

use crate::remote::Address;

/// A receiver of OpenTelemetry over HTTP: `otlp://HOST:PORT`.
#[derive(Clone, PartialEq, Eq)]
pub struct Receiver {
    pub(super) address: Address,
}

/// A text that names no receiver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` is no receiver of OpenTelemetry: {why}")]
pub struct ReceiverError {
    /// What was given, without what may be a password.
    shown: String,
    why: &'static str,
}

impl Receiver {
    /// Parses what is behind `otlp://`.
    pub(crate) fn parse(rest: &str) -> Result<Self, &'static str> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err("otlp:// knows no password");
        }
        if !path.is_empty() {
            return Err("the path of otlp:// is always the one that OTLP defines; leave it out");
        }
        let address = Address::parse(authority)?;
        Ok(Self { address })
    }

    /// What is wrong with `otlps://`.
    pub(crate) const NO_TLS: &str = "otlp over tls is not supported; send to a collector on this \
                                     machine with otlp://HOST:PORT, which can send on with tls";
}

impl FromStr for Receiver {
    type Err = ReceiverError;

    fn from_str(text: &str) -> Result<Self, ReceiverError> {
        let parsed = match text.split_once("://") {
            Some(("otlp", rest)) => Self::parse(rest),
            Some(("otlps", _)) => Err(Self::NO_TLS),
            _ => Err("expected otlp://HOST:PORT"),
        };
        parsed.map_err(|why| ReceiverError {
            shown: match text.rsplit_once('@') {
                Some((_, rest)) => format!("…@{rest}"),
                None => text.to_owned(),
            },
            why,
        })
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "otlp://{}", self.address)
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_has_a_host_and_a_port() {
        for text in ["otlp://localhost:4318", "otlp://[::1]:4318"] {
            assert_eq!(text.parse::<Receiver>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_names_no_receiver_is_refused_without_showing_a_password() {
        for text in [
            "",
            "localhost:4318",
            "http://h:1",
            "otlps://h:1",
            "otlp://h",
            "otlp://h:0",
            "otlp://u:secret@h:1",
            "otlp://h:1/v1/traces",
        ] {
            let error = text.parse::<Receiver>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
            assert!(
                error.contains("expected") || error.contains("otlp"),
                "{error}"
            );
        }
    }
}
