//! Which of the jobs that wait is compiled next.

use std::collections::BTreeMap;
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

/// Lets so many children run at once, in the order of their [`Priority`].
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: u32,
    waiting: BTreeMap<(Priority, u64), Waiter>,
    /// The number of the next job that waits: of equal ones, the first goes first.
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    children: u32,
    granted: oneshot::Sender<Permit>,
}

/// The right to run some children, which goes to the next job when this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    queue: Arc<Queue>,
    children: u32,
}

impl Queue {
    pub(super) fn new(children: u32) -> Arc<Self> {
        let state = State {
            free: children,
            waiting: BTreeMap::new(),
            next: 0,
        };
        Arc::new(Self {
            state: Mutex::new(state),
        })
    }

    /// Waits until so many children may run. A job that gives up, because this future is
    /// dropped, delays no other.
    pub(super) async fn permit(
        self: &Arc<Self>,
        children: u32,
        priority: Priority,
    ) -> io::Result<Permit> {
        let (granted, permit) = oneshot::channel();
        {
            let mut state = self.lock();
            let key = (priority, state.next);
            state.next += 1;
            state.waiting.insert(key, Waiter { children, granted });
        }
        self.grant();
        permit.await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Lets those begin that may.
    fn grant(self: &Arc<Self>) {
        while let Some(waiter) = self.next() {
            let permit = Permit {
                queue: self.clone(),
                children: waiter.children,
            };
            // One whose job has given up is dropped, which lets the next one begin.
            let _ = waiter.granted.send(permit);
        }
    }

    /// The first of those that wait, if there is room for it, which it has then.
    fn next(&self) -> Option<Waiter> {
        let mut state = self.lock();
        state
            .waiting
            .retain(|_, waiter| !waiter.granted.is_closed());
        let (_, first) = state.waiting.first_key_value()?;
        let free = state.free.checked_sub(first.children)?;
        state.free = free;
        state.waiting.pop_first().map(|(_, waiter)| waiter)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.queue.lock().free += self.children;
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

    #[test]
    fn formerly_active_jobs_go_first_and_then_the_smallest() {
        run(async {
            let queue = Queue::new(1);
            let first = queue.permit(1, of(true, 9)).await.unwrap();
            let mut jobs = [
                pin!(queue.permit(1, of(true, 5))),
                pin!(queue.permit(1, of(true, 2))),
                pin!(queue.permit(1, of(false, 7))),
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
    fn a_job_that_wants_all_children_waits_for_all_and_one_that_gives_up_delays_no_other() {
        run(async {
            let queue = Queue::new(2);
            let first = queue.permit(1, of(true, 1)).await.unwrap();
            let mut all = Box::pin(queue.permit(2, of(true, 1)));
            assert!(waits(all.as_mut()).await);
            let mut next = pin!(queue.permit(1, of(true, 2)));
            assert!(waits(next.as_mut()).await);
            drop(all);
            // One that was granted and has not noticed gives it back, too.
            let mut third = Box::pin(queue.permit(1, of(true, 3)));
            assert!(waits(third.as_mut()).await);
            drop(first);
            drop(third);
            let _next = next.await.unwrap();
            let _last = queue.permit(1, of(true, 9)).await.unwrap();
        });
    }
}
