//! Request ids, which correlate responses, logs, traces and audit records of one request.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

/// The header with the id of a request, in requests and responses.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Identifies one request in responses, logs and the audit log.
///
/// It is the client's id of the request, if that is safe in a log and does not have the format of
/// generated ids. Otherwise it is generated: unique within the process by a count and, by a random
/// number per process, practically unique across processes, as in `3f9a6c1e-000000000000002a`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id of a request with these headers: the value of its only `x-request-id`, or a new
    /// id.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(REQUEST_ID).iter();
        match (values.next(), values.next()) {
            (Some(id), None) if is_valid(id.as_bytes()) && !is_generated(id.as_bytes()) => {
                Self(id.clone())
            }
            _ => Self::next(),
        }
    }

    /// Generates an id that no earlier request of this process had.
    #[must_use]
    pub fn next() -> Self {
        static PROCESS: OnceLock<u32> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(1);

        // Without random numbers, the id is still unique within the process.
        let process = *PROCESS.get_or_init(|| getrandom::u32().unwrap_or_default());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // This runs for every request, and `format!` takes several times as long.
        let mut id = *TEMPLATE;
        // Fails for a wrong length only.
        let _ = const_hex::encode_to_slice(process.to_be_bytes(), &mut id[..8]);
        let _ = const_hex::encode_to_slice(count.to_be_bytes(), &mut id[9..]);
        Self(HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("-")))
    }

    /// The id as a header value.
    pub fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }

    fn as_str(&self) -> &str {
        // Its characters are ASCII.
        self.0.to_str().unwrap_or_default()
    }
}

/// Whether the id of a client is safe in a log: up to 64 letters, digits, `-`, `_`, `.` and `:`.
fn is_valid(id: &[u8]) -> bool {
    const MAX_BYTES: usize = 64;

    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    (1..=MAX_BYTES).contains(&id.len()) && id.iter().all(is_allowed)
}

/// The format of generated ids: hexadecimal digits of the process, and of its count.
const TEMPLATE: &[u8; 25] = b"00000000-0000000000000000";

/// Whether an id has the format of generated ids. If the server accepted it from a client, the
/// logs could not tell that request from another one, also of an earlier start.
fn is_generated(id: &[u8]) -> bool {
    let matches = |(byte, template): (&u8, &u8)| match template {
        b'0' => byte.is_ascii_hexdigit(),
        template => byte == template,
    };
    id.len() == TEMPLATE.len() && id.iter().zip(TEMPLATE).all(matches)
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
    fn generated_ids_are_unique() {
        assert_ne!(RequestId::next(), RequestId::next());
    }

    #[test]
    fn a_generated_id_has_a_process_part_and_an_increasing_count() {
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
    fn a_valid_x_request_id_of_the_client_is_kept() {
        let id = "7b1f:a_B-9.";
        assert_eq!(of(&[id]), id);
    }

    #[test]
    fn a_client_id_in_the_format_of_generated_ids_is_replaced() {
        let generated = RequestId::next().to_string();
        for id in [
            &generated,
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
    fn an_unsafe_or_duplicate_x_request_id_is_replaced() {
        for id in ["", "a b", "a\"b", "ä", &"x".repeat(65)] {
            assert_ne!(of(&[id]), id);
        }
        assert_ne!(of(&["a", "a"]), "a");
    }
}
