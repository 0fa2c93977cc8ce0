//! The metrics of a log.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The counters of a log.
#[derive(Debug, Default)]
pub(super) struct Status {
    pub(super) appended: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) failed: AtomicBool,
    /// The number of write failures.
    pub(super) failures: AtomicU64,
}

/// The metrics of a log, counted since the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Appended records.
    pub appended: u64,
    /// Records refused because the log could not be written.
    pub refused: u64,
    /// Records dropped under the policy `best-effort`.
    pub dropped: u64,
    /// Queued entries.
    pub waiting: usize,
    /// Whether the last write failed.
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
