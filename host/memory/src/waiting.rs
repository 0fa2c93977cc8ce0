//! The requests that wait for memory, and what is reserved for them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The requests that wait for memory.
#[derive(Debug, Default)]
pub(super) struct WaitingRequests {
    count: AtomicUsize,
    /// The memory, in bytes, of each one whose function has none. Released memory is reserved for
    /// them: other functions must leave it.
    reserved: Mutex<Vec<u64>>,
}

impl WaitingRequests {
    /// Whether a request waits.
    pub(super) fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Counts a request until the result is dropped, and reserves `bytes` for it, or nothing.
    pub(super) fn add(&self, bytes: u64) -> WaitingRequest<'_> {
        self.count.fetch_add(1, Ordering::Relaxed);
        if bytes > 0 {
            self.reserved().push(bytes);
        }
        WaitingRequest { all: self, bytes }
    }

    /// The reserved memory that a function which has some must leave, in bytes.
    pub(super) fn reserved_bytes(&self) -> u64 {
        if self.any() {
            self.reserved().iter().sum()
        } else {
            0
        }
    }

    /// The reserved memory that a function without any must leave where it needs `bytes`: that of
    /// smaller requests. Otherwise large functions, whose only instance has just ended, could take
    /// what they released again and again, and smaller requests would wait for all of them.
    pub(super) fn reserved_bytes_below(&self, bytes: u64) -> u64 {
        if self.any() {
            let reserved = self.reserved();
            reserved.iter().filter(|other| **other < bytes).sum()
        } else {
            0
        }
    }

    fn reserved(&self) -> MutexGuard<'_, Vec<u64>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits, counted until this is dropped.
pub(super) struct WaitingRequest<'a> {
    all: &'a WaitingRequests,
    bytes: u64,
}

impl Drop for WaitingRequest<'_> {
    fn drop(&mut self) {
        self.all.count.fetch_sub(1, Ordering::Relaxed);
        let mut reserved = self.all.reserved();
        if let Some(index) = reserved.iter().position(|bytes| *bytes == self.bytes) {
            reserved.swap_remove(index);
        }
    }
}
