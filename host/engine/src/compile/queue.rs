//! Queue of compile jobs: priority and concurrency.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use tokio::sync::oneshot;

/// Priority of a waiting job: functions that were active before the start of the server come first,
/// then the smallest component, so that a slow one delays few others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Priority {
    /// Whether no version of the function was active before.
    pub(super) is_new: bool,
    /// Size of the component, in bytes.
    pub(super) bytes: u64,
}

/// Resources that a job needs to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    /// Whether no other child may run at the same time.
    pub(super) is_exclusive: bool,
    /// Whether it ends soon, and may use the slot that is reserved for small jobs.
    pub(super) is_small: bool,
    /// Expected memory of its child, in bytes.
    pub(super) memory_bytes: u64,
}

/// Limits concurrent children by processors and memory, and starts them in order of [`Priority`].
/// One may always run. The last slot is reserved for small jobs, so that they do not wait for large
/// ones.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Limit of concurrent children.
    max_children: u32,
    /// Memory available to further children, in bytes, where known.
    free_bytes: fn() -> Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    running: u32,
    running_large: u32,
    /// Expected memory of all running children.
    memory_bytes: u64,
    has_exclusive: bool,
    waiting: BTreeMap<(Priority, u64), Waiter>,
    /// Sequence number of the next waiting job: equal priorities are served in order.
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    demand: Demand,
    granted: oneshot::Sender<Permit>,
}

/// Permit to run a child. Dropping it starts the next job.
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

    /// Waits for a permit for `demand`. Dropping this future removes the job from the queue.
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

    /// Grants permits to all jobs that may start.
    fn grant(self: &Arc<Self>) {
        while let Some(waiter) = self.next() {
            let permit = Permit {
                queue: self.clone(),
                demand: waiter.demand,
            };
            // If the job was dropped, its permit is as well, which starts the next one.
            let _ = waiter.granted.send(permit);
        }
    }

    /// Removes the first waiting job that may start, and acquires its resources.
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
    /// Whether another child with this demand may run.
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

    /// Whether this job is still waiting.
    async fn waits(job: Pin<&mut impl Future<Output = io::Result<Permit>>>) -> bool {
        tokio::select! {
            biased;
            _ = job => false,
            () = std::future::ready(()) => true,
        }
    }

    /// A large job with this memory.
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
    fn an_exclusive_job_waits_for_all_others_and_a_dropped_one_delays_none() {
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
            // A granted permit that was not received is released as well.
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
    fn a_small_job_does_not_wait_for_large_ones() {
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
    fn available_memory_limits_concurrent_jobs_except_the_first() {
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
