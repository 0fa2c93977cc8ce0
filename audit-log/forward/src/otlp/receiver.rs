//! The URL of a receiver.

use std::fmt;
use std::str::FromStr;

use crate::connection::{Address, without_credentials};

/// An OpenTelemetry receiver over HTTP: `otlp://HOST:PORT`.
#[derive(Clone, PartialEq, Eq)]
pub struct Receiver {
    pub(super) address: Address,
}

/// An invalid URL of a receiver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid OpenTelemetry receiver `{shown}`: {reason}")]
pub struct ReceiverError {
    /// The URL without its credentials.
    shown: String,
    reason: &'static str,
}

impl Receiver {
    /// Parses the part after `otlp://`.
    pub(crate) fn parse(rest: &str) -> Result<Self, &'static str> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err("otlp:// does not support credentials");
        }
        if !path.is_empty() {
            return Err("the path of otlp:// is the one that OTLP defines; omit it");
        }
        let address = Address::parse(authority)?;
        Ok(Self { address })
    }

    /// The error for `otlps://`.
    pub(crate) const NO_TLS: &str = "otlp over tls is not supported; send to a collector on this \
                                     machine with otlp://HOST:PORT, which can forward with tls";
}

impl FromStr for Receiver {
    type Err = ReceiverError;

    fn from_str(text: &str) -> Result<Self, ReceiverError> {
        let parsed = match text.split_once("://") {
            Some(("otlp", rest)) => Self::parse(rest),
            Some(("otlps", _)) => Err(Self::NO_TLS),
            _ => Err("expected otlp://HOST:PORT"),
        };
        parsed.map_err(|reason| ReceiverError {
            shown: without_credentials(text),
            reason,
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
    fn receiver_has_a_host_and_a_port() {
        for text in ["otlp://localhost:4318", "otlp://[::1]:4318"] {
            assert_eq!(text.parse::<Receiver>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn invalid_receiver_is_rejected_without_showing_its_password() {
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
