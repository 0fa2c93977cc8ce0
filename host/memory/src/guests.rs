//! The memory that guests hold.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::MemoryLimit;

/// What an instance counts for beside its memories and tables: its stack, of which a guest
/// can use 512 KiB, and what the server keeps for each.
pub const INSTANCE_BYTES: u64 = 512 << 10;

/// How many times as much as what is left for all, the guests of one of several functions
/// may have together. (Switches share their buffers among ports like this, as "dynamic
/// thresholds".) One function that takes what it can gets four fifths.
const SHARE: u64 = 4;

/// The account of one function: what all its instances hold of the memory for guests.
#[derive(Debug)]
pub struct FunctionMemory {
    server: Arc<MemoryLimit>,
    held: AtomicU64,
    /// Whether there are other functions.
    is_shared: bool,
}

/// What one instance holds, which is given back when this is dropped.
pub struct Hold {
    function: Arc<FunctionMemory>,
    bytes: AtomicU64,
}

impl FunctionMemory {
    /// An account of the memory that `server` allows. If it `is_shared` with other functions,
    /// this one may not have all of it.
    #[must_use]
    pub fn new(server: Arc<MemoryLimit>, is_shared: bool) -> Arc<Self> {
        Arc::new(Self {
            server,
            held: AtomicU64::new(0),
            is_shared,
        })
    }

    /// Takes the memory for an instance that begins with so many bytes, if there is so much.
    #[must_use]
    pub fn try_hold(self: &Arc<Self>, initial_bytes: u64) -> Option<Arc<Hold>> {
        let bytes = initial_bytes.saturating_add(INSTANCE_BYTES);
        self.take(bytes).then(|| {
            Arc::new(Hold {
                function: self.clone(),
                bytes: AtomicU64::new(bytes),
            })
        })
    }

    /// The same, and waits for it.
    pub async fn hold(self: &Arc<Self>, initial_bytes: u64) -> Arc<Hold> {
        let is_first = self.held.load(Ordering::Relaxed) == 0;
        let reserved = is_first.then_some(initial_bytes.saturating_add(INSTANCE_BYTES));
        let _waiting = Waiting::new(&self.server, reserved.unwrap_or_default());
        self.server.measure_again();
        loop {
            let mut freed = std::pin::pin!(self.server.freed.notified());
            // From here on nothing that is given back goes unnoticed.
            freed.as_mut().enable();
            if let Some(hold) = self.try_hold(initial_bytes) {
                return hold;
            }
            self.server.wanted.notify_waiters();
            freed.await;
        }
    }

    fn take(&self, bytes: u64) -> bool {
        let limit = self.server.for_guests_bytes();
        let own = self.held.load(Ordering::Relaxed);
        // What is given back goes first to functions that have nothing.
        let reserved = match own {
            0 => 0,
            _ => self.server.reserved.load(Ordering::Relaxed),
        };
        let taken = self
            .server
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                let all = held.checked_add(bytes)?;
                let left = limit.checked_sub(all)?.checked_sub(reserved)?;
                let is_fair =
                    !self.is_shared || own == 0 || own + bytes <= left.saturating_mul(SHARE);
                is_fair.then_some(all)
            });
        if taken.is_ok() {
            self.held.fetch_add(bytes, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        self.server.held.fetch_sub(bytes, Ordering::Relaxed);
        if self.server.is_wanted() {
            self.server.freed.notify_waiters();
        }
    }
}

impl Hold {
    /// Whether the memories and tables of the instance may have so many bytes together.
    fn reach(&self, bytes: u64) -> bool {
        let wanted = bytes.saturating_add(INSTANCE_BYTES);
        let more = wanted.saturating_sub(self.bytes.load(Ordering::Relaxed));
        if more == 0 {
            return true;
        }
        let is_taken = self.function.take(more) || {
            self.function.server.measure_again();
            self.function.take(more)
        };
        if is_taken {
            self.bytes.fetch_add(more, Ordering::Relaxed);
        } else {
            let refused = &self.function.server.refused;
            refused.growths.fetch_add(1, Ordering::Relaxed);
        }
        is_taken
    }

    /// Gives back what is more than that.
    fn shrink(&self, bytes: u64) {
        let wanted = bytes.saturating_add(INSTANCE_BYTES);
        let less = self.bytes.load(Ordering::Relaxed).saturating_sub(wanted);
        if less > 0 {
            self.bytes.fetch_sub(less, Ordering::Relaxed);
            self.function.give_back(less);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.function.give_back(*self.bytes.get_mut());
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// What a store has taken of the memory that its instance holds. Without a hold, as in a
/// benchmark, there is no limit.
#[derive(Debug, Default)]
pub struct Claim {
    hold: Option<Arc<Hold>>,
    bytes: u64,
}

impl Claim {
    /// From now on, what is taken is taken of `hold`.
    pub fn set_hold(&mut self, hold: Arc<Hold>) {
        self.hold = Some(hold);
    }

    /// Takes so much more for memories and tables, if there is so much.
    pub fn take(&mut self, bytes: usize) -> bool {
        let bytes = self.bytes.saturating_add(bytes as u64);
        let is_taken = self.hold.as_ref().is_none_or(|hold| hold.reach(bytes));
        if is_taken {
            self.bytes = bytes;
        }
        is_taken
    }

    /// Gives back what the instance did not need to begin. Returns what it did need.
    #[must_use]
    pub fn settle(&self) -> u64 {
        if let Some(hold) = &self.hold {
            hold.shrink(self.bytes);
        }
        self.bytes
    }
}

/// Counts a request that waits for memory.
struct Waiting<'a> {
    server: &'a MemoryLimit,
    /// What others that have memory already must leave for it.
    reserved: u64,
}

impl<'a> Waiting<'a> {
    fn new(server: &'a MemoryLimit, reserved: u64) -> Self {
        server.waiting.fetch_add(1, Ordering::Relaxed);
        server.reserved.fetch_add(reserved, Ordering::Relaxed);
        Self { server, reserved }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.server.waiting.fetch_sub(1, Ordering::Relaxed);
        (self.server.reserved).fetch_sub(self.reserved, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    const MIB: usize = 1 << 20;
    const MIB_U64: u64 = 1 << 20;

    /// Room for so many instances.
    fn server(instances: u64) -> Arc<MemoryLimit> {
        MemoryLimit::of_guests(instances * INSTANCE_BYTES)
    }

    #[test]
    fn guests_that_grow_at_once_get_no_more_than_there_is() {
        const GUESTS: usize = 8;

        let server = MemoryLimit::of_guests(5 * MIB_U64);
        let function = FunctionMemory::new(server.clone(), false);
        let begin = Barrier::new(GUESTS);
        let end = Barrier::new(GUESTS);
        let grown = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..GUESTS {
                scope.spawn(|| {
                    let hold = function.try_hold(0);
                    begin.wait();
                    let mut claim = Claim::default();
                    if let Some(hold) = hold {
                        claim.set_hold(hold);
                        if claim.take(MIB) {
                            grown.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    end.wait();
                });
            }
        });
        // Of 5 MiB, 4 go to the instances themselves.
        assert_eq!(grown.into_inner(), 1);
        assert_eq!(server.held_bytes(), 0);
        assert_eq!(server.refused_growths(), GUESTS as u64 - 1);
    }

    #[test]
    fn what_an_instance_announced_and_did_not_need_is_given_back() {
        let server = MemoryLimit::of_guests(10 * MIB_U64);
        let function = FunctionMemory::new(server.clone(), false);
        let hold = function.try_hold(4 * MIB_U64).unwrap();
        assert_eq!(server.held_bytes(), 4 * MIB_U64 + INSTANCE_BYTES);
        let mut claim = Claim::default();
        claim.set_hold(hold.clone());
        assert!(claim.take(MIB));
        assert_eq!(claim.settle(), MIB_U64);
        assert_eq!(server.held_bytes(), MIB_U64 + INSTANCE_BYTES);
        drop(claim);
        assert_eq!(server.held_bytes(), MIB_U64 + INSTANCE_BYTES);
        drop(hold);
        assert_eq!(server.held_bytes(), 0);
    }

    #[test]
    fn one_of_several_functions_leaves_a_fifth_for_the_others() {
        let server = server(100);
        let greedy = FunctionMemory::new(server.clone(), true);
        let all: Vec<_> = std::iter::from_fn(|| greedy.try_hold(0)).collect();
        assert_eq!(all.len(), 80);
        let other = FunctionMemory::new(server.clone(), true);
        // Its first instance may have all that is left.
        let large = other.try_hold(19 * INSTANCE_BYTES);
        assert!(large.is_some());
        drop(large);
        let others: Vec<_> = std::iter::from_fn(|| other.try_hold(0)).collect();
        assert_eq!(others.len(), 16);
    }

    #[test]
    fn memory_that_a_function_without_any_waits_for_goes_to_no_other() {
        let server = server(10);
        let greedy = FunctionMemory::new(server.clone(), true);
        let mut all: Vec<_> = std::iter::from_fn(|| greedy.try_hold(0)).collect();
        let waiting = Waiting::new(&server, 5 * INSTANCE_BYTES);
        let given_back = all.pop();
        assert!(given_back.is_some());
        drop(given_back);
        assert!(greedy.try_hold(0).is_none());
        let other = FunctionMemory::new(server.clone(), true);
        assert!(other.try_hold(2 * INSTANCE_BYTES).is_some());
        drop(waiting);
        assert!(greedy.try_hold(0).is_some());
    }

    #[test]
    fn the_only_function_may_have_everything() {
        let only = FunctionMemory::new(server(3), false);
        let all: Vec<_> = std::iter::from_fn(|| only.try_hold(0)).collect();
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn a_request_gets_memory_as_soon_as_another_one_gives_it_back() {
        let server = server(1);
        let function = FunctionMemory::new(server.clone(), false);
        let first = function.try_hold(0).unwrap();
        let waiting = {
            let function = function.clone();
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                runtime.unwrap().block_on(function.hold(0))
            })
        };
        while !server.is_wanted() {
            thread::yield_now();
        }
        // Nothing is measured here, so only this can wake the one that waits.
        drop(first);
        drop(waiting.join().unwrap());
        assert!(!server.is_wanted());
        assert_eq!(server.held_bytes(), 0);
    }
}
