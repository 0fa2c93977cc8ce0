//! The metrics of forwarding.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The metrics of forwarding, counted since the start of the process, except `lag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwardMetrics {
    /// Records whose arrival was confirmed.
    pub forwarded: u64,
    /// Records that the target rejected for good.
    pub rejected: u64,
    /// Records pruned before they were sent.
    pub missing: u64,
    /// Records in the log whose arrival is not confirmed.
    pub lag: u64,
    /// Failed or lost connections.
    pub failures: u64,
    /// Whether the last attempt failed.
    pub is_failing: bool,
}

#[derive(Debug)]
pub(crate) struct Status {
    /// The last settled record.
    settled: AtomicU64,
    forwarded: AtomicU64,
    rejected: AtomicU64,
    missing: AtomicU64,
    failures: AtomicU64,
    is_failing: AtomicBool,
}

impl Status {
    pub(crate) fn new(settled: u64) -> Self {
        Self {
            settled: AtomicU64::new(settled),
            forwarded: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            missing: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
        }
    }

    pub(crate) fn metrics(&self, written: u64) -> ForwardMetrics {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        ForwardMetrics {
            forwarded: load(&self.forwarded),
            rejected: load(&self.rejected),
            missing: load(&self.missing),
            lag: written.saturating_sub(load(&self.settled)),
            failures: load(&self.failures),
            is_failing: self.is_failing.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn settled(&self, sequence: u64) {
        self.settled.store(sequence, Ordering::Relaxed);
    }

    pub(crate) fn forwarded(&self, count: u64) {
        self.forwarded.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn rejected(&self, count: u64) {
        self.rejected.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn missing(&self, count: u64) {
        self.missing.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts a failure. Returns whether it is the first one since the last success.
    pub(crate) fn failed(&self) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed);
        !self.is_failing.swap(true, Ordering::Relaxed)
    }

    /// Records a success. Returns whether it ends a failure.
    pub(crate) fn succeeded(&self) -> bool {
        self.is_failing.swap(false, Ordering::Relaxed)
    }
}
