//! Counters with a shard per thread, so that threads do not contend.
//!
//! `Family`, `Counter` and `Histogram` of `prometheus_client` are not used: a family and a
//! histogram are each behind a lock that all threads share, and a counter is one atomic.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::thread::available_parallelism;

/// Maximum number of shards. Further threads share them, which only costs time.
const MAX_SHARDS: usize = 64;

/// Counters of which each thread has its own shard, up to the number of shards.
///
/// An addition to a counter that another processor modified last costs as much as a cache miss. A
/// reader adds up all shards.
pub(super) struct Sharded<T>(Box<[CachePadded<T>]>);

/// A value that shares neither a cache line nor a pair of adjacent lines with another value.
#[derive(Default)]
#[repr(align(128))]
struct CachePadded<T>(T);

/// A counter within a shard.
pub(super) trait Counter {
    /// The current value.
    fn load(&self) -> i64;
}

impl<T: Default> Sharded<T> {
    /// One shard for each processor, up to [`MAX_SHARDS`].
    pub(super) fn new() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        let count = processors.next_power_of_two().min(MAX_SHARDS);
        Self((0..count).map(|_| CachePadded::default()).collect())
    }
}

impl<T> Sharded<T> {
    /// The shard of this thread.
    pub(super) fn local(&self) -> &T {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static INDEX: usize = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        let index = INDEX.with(|index| index & (self.0.len() - 1));
        &self.0[index].0
    }

    /// All shards.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|shard| &shard.0)
    }

    /// The sum of one counter over all shards, and at least 0.
    pub(super) fn sum<N: Counter>(&self, counter: impl Fn(&T) -> &N) -> u64 {
        let sum: i64 = self.iter().map(|shard| counter(shard).load()).sum();
        // One shard may show a subtraction before another one shows the addition.
        u64::try_from(sum).unwrap_or(0)
    }
}

impl Counter for AtomicU64 {
    fn load(&self) -> i64 {
        AtomicU64::load(self, Ordering::Relaxed).cast_signed()
    }
}

impl Counter for AtomicI64 {
    fn load(&self) -> i64 {
        AtomicI64::load(self, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn concurrent_additions_are_not_lost() {
        let counters = Sharded::<AtomicU64>::new();
        thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        counters.local().fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(counters.sum(|counter| counter), 100_000);
    }

    #[test]
    fn another_thread_may_subtract_from_the_sum() {
        let counters = Sharded::<AtomicI64>::new();
        counters.local().fetch_add(2, Ordering::Relaxed);
        thread::scope(|scope| {
            scope.spawn(|| counters.local().fetch_sub(1, Ordering::Relaxed));
        });
        assert_eq!(counters.sum(|counter| counter), 1);
    }
}
