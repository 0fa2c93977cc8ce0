//! Numbers that many threads add to without getting in each other's way.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::thread::available_parallelism;

/// The most shards. Threads beyond that share them, which costs time only.
const MAX_SHARDS: usize = 64;

/// Numbers of which each thread has its own, as far as there are as many shards.
///
/// To add to a number that another processor added to last costs as much as to wait
/// for memory. Whoever wants to know the number adds all of them up.
pub(super) struct Sharded<T>(Box<[CachePadded<T>]>);

/// Something that shares no line of a processor's cache, nor a pair of lines, with
/// anything else.
#[derive(Default)]
#[repr(align(128))]
struct CachePadded<T>(T);

/// A number within a shard.
pub(super) trait Counter {
    /// As it is now.
    fn load(&self) -> i64;
}

impl<T: Default> Sharded<T> {
    /// A shard for each processor.
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

    /// What one number is in all shards together; none is less than 0.
    pub(super) fn sum<N: Counter>(&self, number: impl Fn(&T) -> &N) -> u64 {
        let sum: i64 = self.iter().map(|shard| number(shard).load()).sum();
        // A thread may take away what another one has added, before it is seen.
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
    fn nothing_that_many_threads_add_is_lost() {
        let numbers = Sharded::<AtomicU64>::new();
        thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        numbers.local().fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(numbers.sum(|number| number), 100_000);
    }

    #[test]
    fn what_one_thread_adds_another_may_take_away() {
        let numbers = Sharded::<AtomicI64>::new();
        numbers.local().fetch_add(2, Ordering::Relaxed);
        thread::scope(|scope| {
            scope.spawn(|| numbers.local().fetch_sub(1, Ordering::Relaxed));
        });
        assert_eq!(numbers.sum(|number| number), 1);
    }
}
