//! The name under which everything that concerns one request is found again.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Identifies one request in responses, logs and the audit log.
///
/// It is unique within a process and, through a random part that is drawn once
/// per process, practically unique across processes. Shown as
/// `3f9a6c1e-000000000000002a`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    process: u32,
    count: u64,
}

impl RequestId {
    /// Returns an id that no request of this process had before.
    #[must_use]
    pub fn next() -> Self {
        static PROCESS: OnceLock<u32> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(1);

        // Without random numbers the id is still unique within the process.
        let process = *PROCESS.get_or_init(|| getrandom::u32().unwrap_or_default());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { process, count }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:016x}", self.process, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_from_each_other() {
        assert_ne!(RequestId::next(), RequestId::next());
    }
}
