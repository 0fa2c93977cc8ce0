//! Where records are sent to, as a URL names it.

use std::fmt;
use std::str::FromStr;

use crate::otlp::Receiver;
use crate::remote::Address;

/// The stream of a target that names none.
const DEFAULT_STREAM: &str = "AUDIT";

/// Where records are sent to. Shown without its password.
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
    pub(crate) login: Option<Login>,
    pub(crate) stream: String,
}

/// What a client of NATS shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    Password { user: String, password: String },
    Token(String),
}

/// A text that names no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` is no place to forward an audit log to: {why}")]
pub struct TargetError {
    /// What was given, without what may be a password.
    shown: String,
    why: &'static str,
}

impl Target {
    /// What the file is called that says how far a log was sent to such a target.
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
        parse(text).map_err(|why| TargetError {
            shown: without_login(text),
            why,
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
    let (login, address) = match authority.rsplit_once('@') {
        Some((login, address)) => (Some(login), address),
        None => (None, authority),
    };
    match scheme {
        "nats" | "tls" => Ok(Target::Nats(NatsTarget {
            is_tls: scheme == "tls",
            login: login.map(parse_login).transpose()?,
            stream: parse_stream(path.unwrap_or(DEFAULT_STREAM))?,
            address: Address::parse(address)?,
        })),
        "otlp" => Receiver::parse(rest).map(Target::Otlp),
        "otlps" => Err(Receiver::NO_TLS),
        _ => Err(EXPECTED),
    }
}

fn parse_login(text: &str) -> Result<Login, &'static str> {
    let login = match text.split_once(':') {
        Some((user, password)) => Login::Password {
            user: decode(user)?,
            password: decode(password)?,
        },
        None => Login::Token(decode(text)?),
    };
    match &login {
        Login::Password { user: name, .. } | Login::Token(name) if name.is_empty() => {
            Err("expected USER:PASSWORD@ or TOKEN@ before the host")
        }
        _ => Ok(login),
    }
}

/// Reads `%40` and the like, which stand for what has a meaning in a URL.
fn decode(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "expected two hexadecimal digits after each `%` of the password; `%` \
                            itself is `%25`";

    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or(EXPECTED)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(EXPECTED);
        let code = digit(digits[0])? * 16 + digit(digits[1])?;
        bytes.push(u8::try_from(code).map_err(|_| EXPECTED)?);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| EXPECTED)
}

fn parse_stream(text: &str) -> Result<String, &'static str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.is_empty() || !text.chars().all(is_name) {
        return Err("expected the name of a stream after the `/`: letters, digits, `-` and `_`");
    }
    Ok(text.to_owned())
}

/// What can be shown of something that should have been a target.
fn without_login(text: &str) -> String {
    let Some((login, rest)) = text.rsplit_once('@') else {
        return text.to_owned();
    };
    match login.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://…@{rest}"),
        None => format!("…@{rest}"),
    }
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
    fn a_target_is_shown_without_its_password() {
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
    fn a_password_may_hold_any_character() {
        assert!(
            nats("nats://u:p%40%3a%2F%25@h:1").login
                == Some(Login::Password {
                    user: "u".to_owned(),
                    password: "p@:/%".to_owned(),
                })
        );
        assert!(nats("nats://t@h:1").login == Some(Login::Token("t".to_owned())));
        assert!(nats("nats://h:1").login.is_none());
    }

    #[test]
    fn what_names_no_target_is_refused_without_showing_a_password() {
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
