//! The name under which everything that concerns one request is found again.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use http::HeaderMap;

/// Identifies one request in responses, logs and the audit log.
///
/// It is what the client calls its request, if that is a name that can stand in a log,
/// and otherwise an id that is unique within a process and, through a random part that is
/// drawn once per process, practically unique across processes. Such a one is shown as
/// `3f9a6c1e-000000000000002a`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Id);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Id {
    Made { process: u32, count: u64 },
    Given(Arc<str>),
}

impl RequestId {
    /// The id of a request with these headers: that of its only `x-request-id`, or a new
    /// one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all("x-request-id").iter();
        match (given.next(), given.next()) {
            (Some(id), None) => Self::given(id.as_bytes()).unwrap_or_else(Self::next),
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
        Self(Id::Made { process, count })
    }

    /// An id that a client has given: up to 64 letters, digits, `-`, `_`, `.` and `:`.
    fn given(id: &[u8]) -> Option<Self> {
        const MAX_BYTES: usize = 64;

        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        if !(1..=MAX_BYTES).contains(&id.len()) || !id.iter().all(fits) {
            return None;
        }
        let id = str::from_utf8(id).ok()?;
        Some(Self(Id::Given(id.into())))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Id::Made { process, count } => write!(f, "{process:08x}-{count:016x}"),
            Id::Given(id) => f.write_str(id),
        }
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
    fn a_client_may_name_its_request() {
        let id = "7b1f:a_B-9.";
        assert_eq!(of(&[id]), id);
    }

    #[test]
    fn what_cannot_stand_in_a_log_is_no_name() {
        for id in ["", "a b", "a\"b", "ä", &"x".repeat(65)] {
            assert_ne!(of(&[id]), id);
        }
        assert_ne!(of(&["a", "a"]), "a");
    }
}
