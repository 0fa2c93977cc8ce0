//! Numbers about a log.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What is known of a log from outside.
#[derive(Debug, Default)]
pub(super) struct Status {
    pub(super) appended: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) failed: AtomicBool,
    /// How often it could not be written.
    pub(super) failures: AtomicU64,
}

/// Numbers about a log, each since the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Records that are in the log.
    pub appended: u64,
    /// Records that were refused because the log could not be written.
    pub refused: u64,
    /// Records that were dropped under the policy `best-effort`.
    pub dropped: u64,
    /// Entries that wait to be written.
    pub waiting: usize,
    /// Whether the log could not be written when it was last tried.
    pub is_failing: bool,
}

impl Status {
    pub(super) fn metrics(&self, waiting: usize) -> Metrics {
        Metrics {
            appended: self.appended.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            waiting,
            is_failing: self.failed.load(Ordering::Relaxed),
        }
    }
}
