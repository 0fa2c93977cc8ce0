//! The other side of a connection: where it is, and why it is of no use at the moment.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// How long to wait after a first failure, and after many.
const RETRY: Range<Duration> = Duration::from_millis(100)..Duration::from_secs(5);

/// The longest time to wait because the other side wants it.
const MAX_WISH: Duration = Duration::from_mins(5);

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// An IPv6 address is in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Why a connection is of no use any more.
#[derive(Debug)]
pub struct Failure {
    /// For people.
    pub why: String,
    /// How long the other side wants to be left alone.
    pub wish: Option<Duration>,
}

impl Address {
    /// Parses `HOST:PORT`.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected HOST:PORT, such as localhost:4222 or [::1]:4222";

        let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or(EXPECTED)?,
            None if host.contains(':') => return Err(EXPECTED),
            None => host,
        };
        let is_name =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '%');
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(EXPECTED);
        }
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        match port.parse() {
            Ok(port @ 1..) if is_number => Ok(Self {
                host: host.to_owned(),
                port,
            }),
            _ => Err("expected a port between 1 and 65535"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Failure {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        let why = why.into();
        Self { why, wish: None }
    }

    /// How long to wait before the next attempt, when so many have failed before this
    /// one.
    #[must_use]
    pub fn pause(&self, attempts: u32) -> Duration {
        backoff(attempts).max(self.wish.unwrap_or_default().min(MAX_WISH))
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(with_sources(&error))
    }
}

/// An error and what it comes from.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        // Some name their source themselves.
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    text
}

/// How long to wait after so many failures: twice as long each time, and a part of
/// that at random, so that many servers do not come back at the same moment.
fn backoff(attempt: u32) -> Duration {
    let longest = RETRY
        .start
        .saturating_mul(1 << attempt.min(16))
        .min(RETRY.end);
    let random = getrandom::u32().unwrap_or(u32::MAX);
    longest.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_to_a_limit() {
        for attempt in 0..100 {
            let longest = (100 << attempt.min(20)).min(5000);
            let pause = backoff(attempt).as_millis();
            assert!(
                (longest / 2..=longest).contains(&pause),
                "{attempt}: {pause}"
            );
        }
    }

    #[test]
    fn a_wish_is_granted_within_reason() {
        let failure = |seconds| Failure {
            why: String::new(),
            wish: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(failure(60).pause(0), Duration::from_mins(1));
        assert_eq!(failure(86_400).pause(0), MAX_WISH);
        assert!(failure(0).pause(0) > Duration::ZERO);
    }
}
