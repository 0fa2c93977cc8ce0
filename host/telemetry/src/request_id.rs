//! The name under which everything that concerns one request is found again.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

/// Carries the id of a request, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Identifies one request in responses, logs and the audit log.
///
/// It is what the client calls its request, if that is a name that can stand in a log and
/// that no server would give, and otherwise an id that is unique within a process and, through a random part that is
/// drawn once per process, practically unique across processes. Such a one looks like
/// `3f9a6c1e-000000000000002a`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id of a request with these headers: that of its only `x-request-id`, or a new
    /// one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(REQUEST_ID).iter();
        match (given.next(), given.next()) {
            (Some(id), None) if is_name(id.as_bytes()) && !is_own(id.as_bytes()) => {
                Self(id.clone())
            }
            _ => Self::next(),
        }
    }

    /// Returns an id that no request of this process had before.
    #[must_use]
    pub fn next() -> Self {
        static PROCESS: OnceLock<u32> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(1);

        // Without random numbers the id is still unique within the process.
        let process = *PROCESS.get_or_init(|| getrandom::u32().unwrap_or_default());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Every request pays for this, and `format!` takes several times as long.
        let mut id = *FORM;
        write_hex(&mut id[..8], process.into());
        write_hex(&mut id[9..], count);
        Self(HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("-")))
    }

    /// The id as the value of a header.
    pub fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }

    fn as_str(&self) -> &str {
        // It is of ASCII characters.
        self.0.to_str().unwrap_or_default()
    }
}

/// Whether what a client calls its request can stand in a log: up to 64 letters, digits,
/// `-`, `_`, `.` and `:`.
fn is_name(id: &[u8]) -> bool {
    const MAX_BYTES: usize = 64;

    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    (1..=MAX_BYTES).contains(&id.len()) && id.iter().all(fits)
}

/// The form of the ids that servers give: digits of the process, and of its count.
const FORM: &[u8; 25] = b"00000000-0000000000000000";

/// Whether an id has the form of those that servers give. A client that could take such a one
/// would make its request look like another one in the logs, also of an earlier start.
fn is_own(id: &[u8]) -> bool {
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_hexdigit(),
        form => byte == form,
    };
    id.len() == FORM.len() && id.iter().zip(FORM).all(fits)
}

/// Writes the last hexadecimal digits of `number`, as many as `digits` has room for.
fn write_hex(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xf) as usize];
        number >>= 4;
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ids: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for id in ids {
            headers.append("x-request-id", id.parse().unwrap());
        }
        RequestId::of(&headers).to_string()
    }

    #[test]
    fn ids_differ_from_each_other() {
        assert_ne!(RequestId::next(), RequestId::next());
    }

    #[test]
    fn an_id_is_that_of_the_process_and_a_count() {
        let ids = [RequestId::next(), RequestId::next()].map(|id| id.to_string());
        let parts = ids.each_ref().map(|id| id.split_once('-').unwrap());
        assert_eq!(parts[0].0, parts[1].0);
        assert!(
            parts
                .iter()
                .all(|(process, count)| process.len() == 8 && count.len() == 16)
        );
        let counts = parts.map(|(_, count)| u64::from_str_radix(count, 16).unwrap());
        assert!(counts[0] < counts[1], "{ids:?}");
    }

    #[test]
    fn digits_are_hexadecimal() {
        let mut digits = [b'-'; 16];
        write_hex(&mut digits, 0x0123_4567_89ab_cdef);
        assert_eq!(&digits, b"0123456789abcdef");
        write_hex(&mut digits[..4], 0xab);
        assert_eq!(&digits, b"00ab456789abcdef");
    }

    #[test]
    fn a_client_may_name_its_request() {
        let id = "7b1f:a_B-9.";
        assert_eq!(of(&[id]), id);
    }

    #[test]
    fn a_request_id_of_the_form_of_own_ids_is_replaced() {
        let own = RequestId::next().to_string();
        for id in [
            &own,
            "3f9a6c1e-000000000000002a",
            "3F9A6C1E-000000000000002A",
        ] {
            assert_ne!(of(&[id]), id);
        }
        for id in [
            "3f9a6c1e-000000000000002",
            "3f9a6c1e_000000000000002a",
            "3f9a6c1g-000000000000002a",
        ] {
            assert_eq!(of(&[id]), id);
        }
    }

    #[test]
    fn what_cannot_stand_in_a_log_is_no_name() {
        for id in ["", "a b", "a\"b", "ä", &"x".repeat(65)] {
            assert_ne!(of(&[id]), id);
        }
        assert_ne!(of(&["a", "a"]), "a");
    }
}
