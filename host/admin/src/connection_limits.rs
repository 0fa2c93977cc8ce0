//! Limits on connections: idle ones, and requests that are processed or queued.
//!
//! Clients that connect and send nothing do not block others: beyond the limit, the oldest idle
//! connection is closed. Health requests need no permit.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

/// Maximum number of connections without a request head. On a busy machine, that many clients
/// connect at once before the first of them is read.
const MAX_IDLE: usize = 128;

/// Maximum number of concurrent requests, except those for health.
const MAX_CONCURRENT: usize = 64;

/// Maximum number of queued requests.
const MAX_QUEUED: usize = 256;

/// Connections without a request head, the oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct IdleConnections(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    connections: VecDeque<(u64, AbortHandle)>,
}

/// Counts a connection as idle until dropped.
#[derive(Debug)]
pub(super) struct IdleGuard {
    idle: IdleConnections,
    id: u64,
}

impl IdleConnections {
    /// The guard of a new connection, which [`add`](Self::add) registers.
    pub(super) fn next(&self) -> IdleGuard {
        let mut queue = self.lock();
        queue.next += 1;
        IdleGuard {
            idle: self.clone(),
            id: queue.next,
        }
    }

    /// Registers the connection `id`, which `task` serves, and closes the oldest one beyond the
    /// limit.
    pub(super) fn add(&self, id: u64, task: AbortHandle) {
        let oldest = {
            let mut queue = self.lock();
            queue.connections.push_back((id, task));
            let exceeds_limit = queue.connections.len() > MAX_IDLE;
            exceeds_limit.then(|| queue.connections.pop_front())
        };
        if let Some(Some((_, oldest))) = oldest {
            oldest.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdleGuard {
    pub(super) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for IdleGuard {
    fn drop(&mut self) {
        let mut queue = self.idle.lock();
        queue.connections.retain(|(id, _)| *id != self.id);
    }
}

/// Permits of requests that are not for health.
#[derive(Debug)]
pub(super) struct RequestLimiter {
    running: Arc<Semaphore>,
    waiting: Semaphore,
}

impl RequestLimiter {
    pub(super) fn new() -> Self {
        Self {
            running: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            waiting: Semaphore::new(MAX_QUEUED),
        }
    }

    /// Waits for a permit. None if the queue is full.
    pub(super) async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        let _waiting = self.waiting.try_acquire().ok()?;
        self.running.clone().acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn only_the_oldest_idle_connection_is_closed_beyond_the_limit() {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let idle = IdleConnections::default();
            let open = || {
                let guard = idle.next();
                let id = guard.id();
                let task = tokio::spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                });
                idle.add(id, task.abort_handle());
                task
            };
            let mut tasks: Vec<_> = (0..MAX_IDLE).map(|_| open()).collect();
            // One of them is not idle any more.
            tasks[1].abort();
            assert!((&mut tasks[1]).await.unwrap_err().is_cancelled());
            tasks.push(open());
            tokio::task::yield_now().await;
            assert!(!tasks[0].is_finished());
            tasks.push(open());
            assert!((&mut tasks[0]).await.unwrap_err().is_cancelled());
            assert!(tasks[2..].iter().all(|task| !task.is_finished()));
        });
    }

    #[test]
    fn a_request_is_rejected_while_the_queue_is_full() {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let limiter = RequestLimiter::new();
            let mut held = Vec::new();
            for _ in 0..MAX_CONCURRENT {
                held.push(limiter.acquire().await.unwrap());
            }
            let mut waiting: Vec<_> = (0..MAX_QUEUED)
                .map(|_| Box::pin(limiter.acquire()))
                .collect();
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            for one in &mut waiting {
                assert!(one.as_mut().poll(&mut context).is_pending());
            }
            assert!(limiter.acquire().await.is_none());
            held.pop();
            assert!(waiting.remove(0).await.is_some());
        });
    }
}
