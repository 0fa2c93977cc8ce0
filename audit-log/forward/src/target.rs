//! The target URL.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::connection::{Address, without_credentials};
use crate::otlp::Receiver;

/// The stream of a target that names none.
const DEFAULT_STREAM: &str = "AUDIT";

/// The target of forwarding, displayed without its password.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// A stream of NATS `JetStream`:
    /// `nats://[USER:PASSWORD@|TOKEN@]HOST:PORT[/STREAM]`, or `tls://` where the
    /// connection must be encrypted.
    Nats(NatsTarget),
    /// A receiver of OpenTelemetry logs over HTTP: `otlp://HOST:PORT`.
    Otlp(Receiver),
}

/// A stream of NATS `JetStream`.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsTarget {
    pub(crate) address: Address,
    pub(crate) is_tls: bool,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) stream: String,
}

/// The credentials of a NATS client.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    Password { user: String, password: String },
    Token(String),
}

/// An invalid target URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid target `{shown}`: {reason}")]
pub struct TargetError {
    /// The URL without its credentials.
    shown: String,
    reason: &'static str,
}

impl Target {
    /// The extension of the cursor file.
    pub(crate) fn cursor_name(&self) -> &'static str {
        match self {
            Self::Nats(_) => "forward-nats",
            Self::Otlp(_) => "forward-otlp",
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        parse(text).map_err(|reason| TargetError {
            shown: without_credentials(text),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<Target, &'static str> {
    const EXPECTED: &str = "expected nats://[USER:PASSWORD@]HOST:PORT[/STREAM], tls:// with the same, or \
         otlp://HOST:PORT";

    let (scheme, rest) = text.split_once("://").ok_or(EXPECTED)?;
    let (authority, path) = match rest.split_once('/') {
        Some((authority, path)) => (authority, Some(path)),
        None => (rest, None),
    };
    let (credentials, address) = match authority.rsplit_once('@') {
        Some((credentials, address)) => (Some(credentials), address),
        None => (None, authority),
    };
    match scheme {
        "nats" | "tls" => Ok(Target::Nats(NatsTarget {
            is_tls: scheme == "tls",
            credentials: credentials.map(parse_credentials).transpose()?,
            stream: parse_stream(path.unwrap_or(DEFAULT_STREAM))?,
            address: Address::parse(address)?,
        })),
        "otlp" => Receiver::parse(rest).map(Target::Otlp),
        "otlps" => Err(Receiver::NO_TLS),
        _ => Err(EXPECTED),
    }
}

fn parse_credentials(text: &str) -> Result<Credentials, &'static str> {
    let credentials = match text.split_once(':') {
        Some((user, password)) => Credentials::Password {
            user: decode(user)?,
            password: decode(password)?,
        },
        None => Credentials::Token(decode(text)?),
    };
    match &credentials {
        Credentials::Password { user: name, .. } | Credentials::Token(name) if name.is_empty() => {
            Err("expected USER:PASSWORD@ or TOKEN@ before the host")
        }
        _ => Ok(credentials),
    }
}

/// Percent-decodes `text`. Rejects invalid sequences, which [`percent_encoding`] would pass on.
fn decode(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "expected two hexadecimal digits after each `%` of the password; `%` \
                            itself is `%25`";

    let is_code = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_code) {
        return Err(EXPECTED);
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| EXPECTED)
}

fn parse_stream(text: &str) -> Result<String, &'static str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.is_empty() || !text.chars().all(is_name) {
        return Err("expected the name of a stream after the `/`: letters, digits, `-` and `_`");
    }
    Ok(text.to_owned())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nats(NatsTarget {
                address,
                is_tls,
                stream,
                ..
            }) => {
                let scheme = if *is_tls { "tls" } else { "nats" };
                write!(f, "{scheme}://{address}/{stream}")
            }
            Self::Otlp(receiver) => receiver.fmt(f),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nats(text: &str) -> NatsTarget {
        match text.parse().unwrap() {
            Target::Nats(target) => target,
            Target::Otlp(_) => panic!("expected NATS"),
        }
    }

    #[test]
    fn target_is_displayed_without_its_password() {
        for (text, shown) in [
            ("nats://h:4222", "nats://h:4222/AUDIT"),
            ("nats://u:secret@h:4222/LOG", "nats://h:4222/LOG"),
            ("tls://secret@[::1]:4222", "tls://[::1]:4222/AUDIT"),
            ("otlp://h:4318", "otlp://h:4318"),
            ("otlp://h:4318/", "otlp://h:4318"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(format!("{target:?}"), format!("Target({shown})"));
            assert_eq!(shown.parse::<Target>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn password_may_contain_any_character() {
        assert!(
            nats("nats://u:p%40%3a%2F%25@h:1").credentials
                == Some(Credentials::Password {
                    user: "u".to_owned(),
                    password: "p@:/%".to_owned(),
                })
        );
        assert!(nats("nats://t@h:1").credentials == Some(Credentials::Token("t".to_owned())));
        assert!(nats("nats://h:1").credentials.is_none());
    }

    #[test]
    fn invalid_target_is_rejected_without_showing_its_password() {
        for text in [
            "",
            "secret@h:1",
            "h:1",
            "http://h:1",
            "nats://",
            "nats://h",
            "nats://h:",
            "nats://h:0",
            "nats://h:+1",
            "nats://h:65536",
            "nats://::1:4222",
            "nats://[::1:4222",
            "nats://h:1/",
            "nats://h:1/a.b",
            "nats://:secret@h:1",
            "nats://u:secret%4@h:1",
            "nats://u:secret@",
            "nats://u:secret@h 1:2",
            "otlps://h:1",
            "otlp://u:secret@h:1",
            "otlp://h:1/v1/logs",
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
            assert!(
                error.contains("expected") || error.contains("otlp"),
                "{error}"
            );
        }
    }
}
