//! Which of the jobs that wait is compiled next.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The place of a job among those that wait: functions that were active before the start of the
/// server go first, and then the smallest, so that one that takes long delays few others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Priority {
    /// Whether no version of it was active before.
    pub(super) is_new: bool,
    /// The size of its component, in bytes.
    pub(super) bytes: u64,
}

/// What a job needs to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    /// Whether no other child may run meanwhile.
    pub(super) is_exclusive: bool,
    /// Whether it is over soon, so that it does not have to wait for those that are not.
    pub(super) is_small: bool,
    /// The memory that its child is expected to need, in bytes.
    pub(super) memory_bytes: u64,
}

/// Lets children run at once, as many as processors and memory allow, in the order of their
/// [`Priority`]. One may always run. The last place is for small jobs, which do not wait until a
/// large one is compiled.
pub(super) struct Queue {
    state: Mutex<State>,
    /// How many children may run at once.
    max_children: u32,
    /// The memory that there is for more children, in bytes, where that is known.
    free_bytes: fn() -> Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    running: u32,
    running_large: u32,
    /// What the children that run are expected to need.
    memory_bytes: u64,
    has_exclusive: bool,
    waiting: BTreeMap<(Priority, u64), Waiter>,
    /// The number of the next job that waits: of equal ones, the first goes first.
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    demand: Demand,
    granted: oneshot::Sender<Permit>,
}

/// The right to run a child, which goes to the next job when this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    queue: Arc<Queue>,
    demand: Demand,
}

impl Queue {
    pub(super) fn new(max_children: u32, free_bytes: fn() -> Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            max_children,
            free_bytes,
        })
    }

    /// Waits until a child may run that has this demand. A job that gives up, because this
    /// future is dropped, delays no other.
    pub(super) async fn permit(
        self: &Arc<Self>,
        demand: Demand,
        priority: Priority,
    ) -> io::Result<Permit> {
        let (granted, permit) = oneshot::channel();
        {
            let mut state = self.lock();
            let key = (priority, state.next);
            state.next += 1;
            state.waiting.insert(key, Waiter { demand, granted });
        }
        self.grant();
        permit.await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Lets those begin that may.
    fn grant(self: &Arc<Self>) {
        while let Some(waiter) = self.next() {
            let permit = Permit {
                queue: self.clone(),
                demand: waiter.demand,
            };
            // One whose job has given up is dropped, which lets the next one begin.
            let _ = waiter.granted.send(permit);
        }
    }

    /// The first of those that wait and may begin. It has begun then.
    fn next(&self) -> Option<Waiter> {
        let mut state = self.lock();
        state
            .waiting
            .retain(|_, waiter| !waiter.granted.is_closed());
        if state.waiting.is_empty() || state.has_exclusive || state.running >= self.max_children {
            return None;
        }
        let free_bytes = (self.free_bytes)().unwrap_or(u64::MAX);
        let mut is_overtaking = false;
        let mut found = None;
        for (key, waiter) in &state.waiting {
            let demand = waiter.demand;
            if is_overtaking && !demand.is_small {
                continue;
            }
            if state.admits(demand, self.max_children, free_bytes) {
                found = Some(*key);
                break;
            }
            if demand.is_exclusive {
                break;
            }
            is_overtaking = true;
        }
        let waiter = state.waiting.remove(&found?)?;
        state.acquire(waiter.demand);
        Some(waiter)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether one more child may run.
    fn admits(&self, demand: Demand, max_children: u32, free_bytes: u64) -> bool {
        if self.running == 0 {
            return true;
        }
        let has_slot = demand.is_small || self.running_large + 1 < max_children;
        let needed = self.memory_bytes.saturating_add(demand.memory_bytes);
        !demand.is_exclusive && has_slot && needed <= free_bytes
    }

    fn acquire(&mut self, demand: Demand) {
        self.running += 1;
        self.running_large += u32::from(!demand.is_small);
        self.memory_bytes += demand.memory_bytes;
        self.has_exclusive = demand.is_exclusive;
    }

    fn release(&mut self, demand: Demand) {
        self.running -= 1;
        self.running_large -= u32::from(!demand.is_small);
        self.memory_bytes -= demand.memory_bytes;
        self.has_exclusive = false;
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.queue.lock().release(self.demand);
        self.queue.grant();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};

    use tokio::runtime::Builder;

    use super::*;

    fn of(is_new: bool, bytes: u64) -> Priority {
        Priority { is_new, bytes }
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(work)
    }

    /// Whether this job has not begun.
    async fn waits(job: Pin<&mut impl Future<Output = io::Result<Permit>>>) -> bool {
        tokio::select! {
            biased;
            _ = job => false,
            () = std::future::ready(()) => true,
        }
    }

    /// What a job needs of which only the size matters.
    fn demand(memory_bytes: u64) -> Demand {
        Demand {
            is_exclusive: false,
            is_small: false,
            memory_bytes,
        }
    }

    const SMALL: Demand = Demand {
        is_exclusive: false,
        is_small: true,
        memory_bytes: 1,
    };

    fn unlimited() -> Option<u64> {
        None
    }

    #[test]
    fn formerly_active_jobs_go_first_and_then_the_smallest() {
        run(async {
            let queue = Queue::new(2, unlimited);
            let first = queue.permit(demand(1), of(true, 9)).await.unwrap();
            let mut jobs = [
                pin!(queue.permit(demand(1), of(true, 5))),
                pin!(queue.permit(demand(1), of(true, 2))),
                pin!(queue.permit(demand(1), of(false, 7))),
            ];
            for job in &mut jobs {
                assert!(waits(job.as_mut()).await);
            }
            drop(first);
            let [large, small, active] = jobs;
            let permit = active.await.unwrap();
            drop(permit);
            let permit = small.await.unwrap();
            drop(permit);
            large.await.unwrap();
        });
    }

    #[test]
    fn one_that_runs_alone_waits_for_all_and_one_that_gives_up_delays_no_other() {
        run(async {
            let exclusive = Demand {
                is_exclusive: true,
                ..SMALL
            };
            let queue = Queue::new(2, unlimited);
            let first = queue.permit(SMALL, of(true, 1)).await.unwrap();
            let mut all = Box::pin(queue.permit(exclusive, of(true, 1)));
            assert!(waits(all.as_mut()).await);
            let mut next = pin!(queue.permit(SMALL, of(true, 2)));
            assert!(waits(next.as_mut()).await);
            drop(all);
            // One that was granted and has not noticed gives it back, too.
            let mut third = Box::pin(queue.permit(SMALL, of(true, 3)));
            assert!(waits(third.as_mut()).await);
            drop(first);
            drop(third);
            let next = next.await.unwrap();
            let mut all = pin!(queue.permit(exclusive, of(true, 9)));
            assert!(waits(all.as_mut()).await);
            drop(next);
            let _all = all.await.unwrap();
            let mut last = pin!(queue.permit(SMALL, of(false, 0)));
            assert!(waits(last.as_mut()).await);
        });
    }

    #[test]
    fn a_small_job_waits_for_no_large_one() {
        run(async {
            let queue = Queue::new(3, unlimited);
            let _one = queue.permit(demand(1), of(true, 9)).await.unwrap();
            let _two = queue.permit(demand(1), of(true, 9)).await.unwrap();
            let mut large = pin!(queue.permit(demand(1), of(false, 9)));
            assert!(waits(large.as_mut()).await);
            let small = queue.permit(SMALL, of(true, 1)).await.unwrap();
            let mut next = pin!(queue.permit(SMALL, of(true, 1)));
            assert!(waits(next.as_mut()).await);
            drop(small);
            let _next = next.await.unwrap();
            assert!(waits(large).await);
        });
    }

    #[test]
    fn as_many_run_at_once_as_there_is_memory_for_and_one_always() {
        run(async {
            let queue = Queue::new(9, || Some(5));
            let first = queue.permit(demand(7), of(true, 1)).await.unwrap();
            let mut second = pin!(queue.permit(demand(2), of(true, 1)));
            assert!(waits(second.as_mut()).await);
            drop(first);
            let _second = second.await.unwrap();
            let _third = queue.permit(demand(3), of(true, 1)).await.unwrap();
            let mut fourth = pin!(queue.permit(SMALL, of(true, 1)));
            assert!(waits(fourth.as_mut()).await);
        });
    }
}
