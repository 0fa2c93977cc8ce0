//! The requests that wait for memory, and what is reserved for them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The requests that wait for memory.
#[derive(Debug, Default)]
pub(super) struct WaitingRequests {
    count: AtomicUsize,
    /// The memory, in bytes, of each one whose function has none. Released memory is reserved for
    /// them: other functions must leave it.
    reserved: Mutex<Vec<u64>>,
    /// The sum of that.
    reserved_bytes: AtomicU64,
    /// Notified when memory is released, or no longer reserved.
    pub(super) freed: Notify,
}

impl WaitingRequests {
    /// Whether a request waits.
    pub(super) fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Counts a request until the result is dropped.
    pub(super) fn add(&self) -> WaitingRequest<'_> {
        self.count.fetch_add(1, Ordering::Relaxed);
        WaitingRequest {
            all: self,
            reserved: None,
        }
    }

    /// The reserved memory that a function which has some must leave, in bytes.
    pub(super) fn reserved_bytes(&self) -> u64 {
        self.reserved_bytes.load(Ordering::Relaxed)
    }

    /// The reserved memory that a function without any must leave where it needs `bytes`: that of
    /// smaller requests. Otherwise large functions, whose only instance has just ended, could take
    /// what they released again and again, and smaller requests would wait for all of them.
    pub(super) fn reserved_bytes_below(&self, bytes: u64) -> u64 {
        if self.reserved_bytes() == 0 {
            return 0;
        }
        let reserved = self.reserved();
        reserved.iter().filter(|other| **other < bytes).sum()
    }

    fn reserved(&self) -> MutexGuard<'_, Vec<u64>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits, counted until this is dropped.
pub(super) struct WaitingRequest<'a> {
    all: &'a WaitingRequests,
    reserved: Option<u64>,
}

impl WaitingRequest<'_> {
    /// Reserves this memory in place of what is reserved for the request. None: nothing, because its
    /// function has memory.
    pub(super) fn reserve(&mut self, bytes: Option<u64>) {
        if self.reserved == bytes {
            return;
        }
        let mut all = self.all.reserved();
        if let Some(old) = self.reserved
            && let Some(index) = all.iter().position(|other| *other == old)
        {
            all.swap_remove(index);
        }
        all.extend(bytes);
        self.reserved = bytes;
        self.all
            .reserved_bytes
            .store(all.iter().sum(), Ordering::Relaxed);
    }
}

impl Drop for WaitingRequest<'_> {
    fn drop(&mut self) {
        let was_reserved = self.reserved.is_some();
        self.reserve(None);
        self.all.count.fetch_sub(1, Ordering::Relaxed);
        if was_reserved {
            self.all.freed.notify_waiters();
        }
    }
}
