//! Memory accounting of guests: per function, per instance, per store.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::MemoryLimit;

/// Fixed cost of an instance, in addition to its memories and tables: its stack, of which a
/// guest can use 512 KiB, and the server's own state for it.
pub const INSTANCE_BYTES: u64 = 512 << 10;

/// Limit of one function's memory, where several share the server, as a multiple of the memory
/// that is left. (Switches share their buffers among ports like this: "dynamic thresholds".) A
/// single greedy function gets four fifths.
const MAX_SHARE_OF_REST: u64 = 4;

/// The memory of all instances of one function.
#[derive(Debug)]
pub struct FunctionMemory {
    server: Arc<MemoryLimit>,
    held: AtomicU64,
    /// Whether there are other functions.
    is_shared: bool,
}

/// The memory of one instance, which is released on drop.
pub struct InstanceMemory {
    function: Arc<FunctionMemory>,
    bytes: AtomicU64,
}

impl FunctionMemory {
    /// The memory of one function, limited by `server`. With `is_shared`, other functions use
    /// the same limit, and this one gets only a share of it.
    #[must_use]
    pub fn new(server: Arc<MemoryLimit>, is_shared: bool) -> Arc<Self> {
        Arc::new(Self {
            server,
            held: AtomicU64::new(0),
            is_shared,
        })
    }

    /// Acquires the memory of an instance that needs `needed_bytes` in addition to
    /// [`INSTANCE_BYTES`], if it is available.
    #[must_use]
    pub fn try_acquire(self: &Arc<Self>, needed_bytes: u64) -> Option<Arc<InstanceMemory>> {
        let bytes = needed_bytes.saturating_add(INSTANCE_BYTES);
        self.take(bytes).then(|| {
            Arc::new(InstanceMemory {
                function: self.clone(),
                bytes: AtomicU64::new(bytes),
            })
        })
    }

    /// Waits until the memory of such an instance is available, and acquires it.
    pub async fn acquire(self: &Arc<Self>, needed_bytes: u64) -> Arc<InstanceMemory> {
        let mut waiting = self.server.waiting.add();
        self.server.remeasure();
        loop {
            let mut freed = std::pin::pin!(self.server.waiting.freed.notified());
            // Registers the waiter: a release from here on wakes it.
            freed.as_mut().enable();
            if let Some(instance) = self.try_acquire(needed_bytes) {
                return instance;
            }
            let is_first = self.held.load(Ordering::Relaxed) == 0;
            waiting.reserve(is_first.then(|| needed_bytes.saturating_add(INSTANCE_BYTES)));
            self.server.contention.notify_waiters();
            freed.await;
        }
    }

    fn take(&self, bytes: u64) -> bool {
        let limit = self.server.guest_limit_bytes();
        let own = self.held.load(Ordering::Relaxed);
        // Functions without any memory have priority for released memory.
        let reserved = match own {
            0 => self.server.waiting.reserved_bytes_below(bytes),
            _ => self.server.waiting.reserved_bytes(),
        };
        let taken = self
            .server
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                let all = held.checked_add(bytes)?;
                let left = limit.checked_sub(all)?.checked_sub(reserved)?;
                let is_fair = !self.is_shared
                    || own == 0
                    || own + bytes <= left.saturating_mul(MAX_SHARE_OF_REST);
                is_fair.then_some(all)
            });
        if taken.is_ok() {
            self.held.fetch_add(bytes, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        self.server.held.fetch_sub(bytes, Ordering::Relaxed);
        if self.server.is_contended() {
            self.server.waiting.freed.notify_waiters();
        }
    }
}

impl InstanceMemory {
    /// Divides memory that was acquired for several instances: the result has the part of one
    /// that needs `needed_bytes`, and this one the rest.
    #[must_use]
    pub fn split_off(&self, needed_bytes: u64) -> Arc<Self> {
        let wanted = needed_bytes.saturating_add(INSTANCE_BYTES);
        let mut part = 0;
        // The closure never fails.
        let _ = self
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bytes| {
                part = wanted.min(bytes);
                Some(bytes - part)
            });
        Arc::new(Self {
            function: self.function.clone(),
            bytes: AtomicU64::new(part),
        })
    }

    /// Acquires more memory, up to `bytes` for the memories and tables of the instance. Returns
    /// whether it was available.
    fn grow_to(&self, bytes: u64) -> bool {
        let wanted = bytes.saturating_add(INSTANCE_BYTES);
        let more = wanted.saturating_sub(self.bytes.load(Ordering::Relaxed));
        if more == 0 {
            return true;
        }
        let is_taken = self.function.take(more) || {
            self.function.server.remeasure();
            self.function.take(more)
        };
        if is_taken {
            self.bytes.fetch_add(more, Ordering::Relaxed);
        } else {
            let rejections = &self.function.server.rejections;
            rejections.growths.fetch_add(1, Ordering::Relaxed);
        }
        is_taken
    }
}

impl Drop for InstanceMemory {
    fn drop(&mut self) {
        self.function.release(*self.bytes.get_mut());
    }
}

impl fmt::Debug for InstanceMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstanceMemory")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// The memory that a store uses of its [`InstanceMemory`]. Without one, as in a benchmark, it is
/// unlimited.
#[derive(Debug, Default)]
pub struct StoreMemory {
    instance: Option<Arc<InstanceMemory>>,
    bytes: u64,
}

impl StoreMemory {
    /// The memory of a store that uses `bytes` for stacks, in addition to [`INSTANCE_BYTES`].
    #[must_use]
    pub fn with_stacks(bytes: u64) -> Self {
        Self {
            instance: None,
            bytes,
        }
    }

    /// Sets the memory of the instance, from which growths are taken.
    pub fn set_instance_memory(&mut self, instance: Arc<InstanceMemory>) {
        self.instance = Some(instance);
    }

    /// Takes `bytes` more for memories or tables. Returns whether they were available.
    pub fn take(&mut self, bytes: usize) -> bool {
        let bytes = self.bytes.saturating_add(bytes as u64);
        let instance = self.instance.as_ref();
        let is_taken = instance.is_none_or(|instance| instance.grow_to(bytes));
        if is_taken {
            self.bytes = bytes;
        }
        is_taken
    }

    /// The memory in use, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    const MIB: usize = 1 << 20;
    const MIB_U64: u64 = 1 << 20;

    /// A limit that fits `instances` without memories.
    fn server(instances: u64) -> Arc<MemoryLimit> {
        MemoryLimit::unmeasured(instances * INSTANCE_BYTES)
    }

    #[test]
    fn concurrent_growths_stay_within_the_guest_limit() {
        const GUESTS: usize = 8;

        let server = MemoryLimit::unmeasured(5 * MIB_U64);
        let function = FunctionMemory::new(server.clone(), false);
        let begin = Barrier::new(GUESTS);
        let end = Barrier::new(GUESTS);
        let grown = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..GUESTS {
                scope.spawn(|| {
                    let instance = function.try_acquire(0);
                    begin.wait();
                    let mut store = StoreMemory::default();
                    if let Some(instance) = instance {
                        store.set_instance_memory(instance);
                        if store.take(MIB) {
                            grown.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    end.wait();
                });
            }
        });
        // The eight instances take 4 of the 5 MiB.
        assert_eq!(grown.into_inner(), 1);
        assert_eq!(server.held_bytes(), 0);
        assert_eq!(server.denied_growths(), GUESTS as u64 - 1);
    }

    #[test]
    fn an_instance_holds_what_it_needs_until_it_is_dropped() {
        let server = MemoryLimit::unmeasured(10 * MIB_U64);
        let function = FunctionMemory::new(server.clone(), false);
        let instance = function.try_acquire(4 * MIB_U64).unwrap();
        let mut store = StoreMemory::with_stacks(MIB_U64);
        store.set_instance_memory(instance.clone());
        assert!(store.take(2 * MIB));
        assert_eq!(store.bytes(), 3 * MIB_U64);
        assert_eq!(server.held_bytes(), 4 * MIB_U64 + INSTANCE_BYTES);
        assert!(store.take(2 * MIB));
        assert_eq!(server.held_bytes(), 5 * MIB_U64 + INSTANCE_BYTES);
        drop((store, instance));
        assert_eq!(server.held_bytes(), 0);
    }

    #[test]
    fn split_memory_is_released_once_and_never_exceeds_what_was_acquired() {
        let server = MemoryLimit::unmeasured(10 * MIB_U64);
        let function = FunctionMemory::new(server.clone(), false);
        let outer = function.try_acquire(3 * MIB_U64 + INSTANCE_BYTES).unwrap();
        let held = server.held_bytes();
        let inner = outer.split_off(MIB_U64);
        assert_eq!(server.held_bytes(), held);
        drop(outer);
        assert_eq!(server.held_bytes(), MIB_U64 + INSTANCE_BYTES);
        let all = inner.split_off(u64::MAX);
        drop(inner);
        assert_eq!(server.held_bytes(), MIB_U64 + INSTANCE_BYTES);
        drop(all);
        assert_eq!(server.held_bytes(), 0);
    }

    #[test]
    fn one_of_several_functions_gets_at_most_four_fifths() {
        let server = server(100);
        let greedy = FunctionMemory::new(server.clone(), true);
        let all: Vec<_> = std::iter::from_fn(|| greedy.try_acquire(0)).collect();
        assert_eq!(all.len(), 80);
        let other = FunctionMemory::new(server.clone(), true);
        // The share does not limit the first instance of a function.
        let large = other.try_acquire(19 * INSTANCE_BYTES);
        assert!(large.is_some());
        drop(large);
        let others: Vec<_> = std::iter::from_fn(|| other.try_acquire(0)).collect();
        assert_eq!(others.len(), 16);
    }

    #[test]
    fn released_memory_is_reserved_for_waiting_functions_without_any() {
        let server = server(10);
        let greedy = FunctionMemory::new(server.clone(), true);
        let mut all: Vec<_> = std::iter::from_fn(|| greedy.try_acquire(0)).collect();
        let mut waiting = server.waiting.add();
        waiting.reserve(Some(5 * INSTANCE_BYTES));
        let released = all.pop();
        assert!(released.is_some());
        drop(released);
        assert!(greedy.try_acquire(0).is_none());
        let other = FunctionMemory::new(server.clone(), true);
        assert!(other.try_acquire(2 * INSTANCE_BYTES).is_some());
        drop(waiting);
        assert!(greedy.try_acquire(0).is_some());
    }

    #[test]
    fn a_large_function_without_memory_leaves_what_smaller_requests_wait_for() {
        let server = server(10);
        let large = FunctionMemory::new(server.clone(), true);
        let mut waiting = server.waiting.add();
        waiting.reserve(Some(2 * INSTANCE_BYTES));
        assert!(large.try_acquire(8 * INSTANCE_BYTES).is_none());
        let large = large.try_acquire(7 * INSTANCE_BYTES);
        assert!(large.is_some());
        let small = FunctionMemory::new(server.clone(), true);
        assert!(small.try_acquire(INSTANCE_BYTES).is_some());
    }

    #[test]
    fn a_single_function_gets_the_whole_guest_limit() {
        let only = FunctionMemory::new(server(3), false);
        let all: Vec<_> = std::iter::from_fn(|| only.try_acquire(0)).collect();
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn a_request_that_no_longer_waits_wakes_a_larger_one() {
        let server = server(10);
        let mut small = server.waiting.add();
        small.reserve(Some(2 * INSTANCE_BYTES));
        let large = FunctionMemory::new(server.clone(), true);
        let mut acquire = pin!(large.acquire(9 * INSTANCE_BYTES));
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let acquired = runtime.unwrap().block_on(async {
            let mut small = Some(small);
            poll_fn(|cx| {
                let polled = acquire.as_mut().poll(cx);
                assert_ne!(polled.is_ready(), small.take().is_some());
                polled
            })
            .await
        });
        drop(acquired);
        assert_eq!(server.held_bytes(), 0);
    }

    #[test]
    fn a_release_wakes_a_waiting_request() {
        let server = server(1);
        let function = FunctionMemory::new(server.clone(), false);
        let first = function.try_acquire(0).unwrap();
        let waiting = {
            let function = function.clone();
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                runtime.unwrap().block_on(function.acquire(0))
            })
        };
        while !server.is_contended() {
            thread::yield_now();
        }
        // Without a sampler, only the release can wake the waiting request.
        drop(first);
        drop(waiting.join().unwrap());
        assert!(!server.is_contended());
        assert_eq!(server.held_bytes(), 0);
    }
}
