//! Addresses, connection failures and the retry delay.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use sanitize::error_chain;

/// The first and the longest retry delay.
const RETRY_DELAY: Range<Duration> = Duration::from_millis(100)..Duration::from_secs(5);

/// The maximum honoured `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(5);

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name or an address; an IPv6 address in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The failure of a connection, or of the service behind it.
#[derive(Debug)]
pub struct Failure {
    /// The error message.
    pub reason: String,
    /// The `Retry-After` of the response.
    pub retry_after: Option<Duration>,
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
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            retry_after: None,
        }
    }

    /// The delay before the next attempt, after `attempts` earlier failures.
    #[must_use]
    pub fn retry_delay(&self, attempts: u32) -> Duration {
        backoff(attempts).max(self.retry_after.unwrap_or_default().min(MAX_RETRY_AFTER))
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error_chain(&error))
    }
}

/// Exponential backoff with jitter, so that many servers do not reconnect at the same time.
///
/// The crate `backon` is not used: it retries a closure, and here the delay is combined with
/// `Retry-After` and the attempts are counted across connections, which leaves only these lines.
fn backoff(attempts: u32) -> Duration {
    let longest = RETRY_DELAY
        .start
        .saturating_mul(1 << attempts.min(16))
        .min(RETRY_DELAY.end);
    let random = getrandom::u32().unwrap_or(u32::MAX);
    longest.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

/// `text` without the part that may be credentials.
pub(crate) fn without_credentials(text: &str) -> String {
    let Some((credentials, rest)) = text.rsplit_once('@') else {
        return text.to_owned();
    };
    match credentials.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://…@{rest}"),
        None => format!("…@{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_delay_doubles_up_to_its_maximum() {
        for attempt in 0..100 {
            let longest = (100 << attempt.min(20)).min(5000);
            let delay = backoff(attempt).as_millis();
            assert!(
                (longest / 2..=longest).contains(&delay),
                "{attempt}: {delay}"
            );
        }
    }

    #[test]
    fn retry_after_is_honoured_up_to_its_maximum() {
        let failure = |seconds| Failure {
            reason: String::new(),
            retry_after: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(failure(60).retry_delay(0), Duration::from_mins(1));
        assert_eq!(failure(86_400).retry_delay(0), MAX_RETRY_AFTER);
        assert!(failure(0).retry_delay(0) > Duration::ZERO);
    }
}
