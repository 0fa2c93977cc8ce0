//! RequestLimiter for connections: those that sent no request yet, and those that wait for an answer.
//!
//! A client that connects and sends nothing takes no place of another one: where there are too
//! many of them, the one that was silent for longest is closed. Health takes no place at all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

/// Connections that are open without the head of a request. On a busy machine, as many clients
/// connect at once before the first of them is read.
const MAX_SILENT: usize = 128;

/// Requests that are answered at once, beside those for health.
const MAX_ANSWERED: usize = 64;

/// Requests that wait to be answered.
const MAX_WAITING: usize = 256;

/// Connections without the head of a request, the oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct IdleConnections(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    connections: VecDeque<(u64, AbortHandle)>,
}

/// Counts a connection as silent until this is dropped.
#[derive(Debug)]
pub(super) struct IdleGuard {
    silent: IdleConnections,
    id: u64,
}

impl IdleConnections {
    /// A connection that is silent so far, and is going to be [added](Self::add).
    pub(super) fn next(&self) -> IdleGuard {
        let mut queue = self.lock();
        queue.next += 1;
        IdleGuard {
            silent: self.clone(),
            id: queue.next,
        }
    }

    /// Adds the connection `id`, which `task` serves, and closes the oldest one if they are too
    /// many.
    pub(super) fn add(&self, id: u64, task: AbortHandle) {
        let oldest = {
            let mut queue = self.lock();
            queue.connections.push_back((id, task));
            let are_too_many = queue.connections.len() > MAX_SILENT;
            are_too_many.then(|| queue.connections.pop_front())
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
        let mut queue = self.silent.lock();
        queue.connections.retain(|(id, _)| *id != self.id);
    }
}

/// RequestLimiter of requests that are not for health.
#[derive(Debug)]
pub(super) struct RequestLimiter {
    answered: Arc<Semaphore>,
    waiting: Semaphore,
}

impl RequestLimiter {
    pub(super) fn new() -> Self {
        Self {
            answered: Arc::new(Semaphore::new(MAX_ANSWERED)),
            waiting: Semaphore::new(MAX_WAITING),
        }
    }

    /// Waits for a place. None if too many requests wait already.
    pub(super) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        let _waiting = self.waiting.try_acquire().ok()?;
        self.answered.clone().acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn of_too_many_silent_connections_the_oldest_is_closed_and_no_other_one() {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let silent = IdleConnections::default();
            let open = || {
                let silence = silent.next();
                let id = silence.id();
                let task = tokio::spawn(async move {
                    let _silence = silence;
                    pending::<()>().await;
                });
                silent.add(id, task.abort_handle());
                task
            };
            let mut tasks: Vec<_> = (0..MAX_SILENT).map(|_| open()).collect();
            // One of them is not silent any more.
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
    fn a_request_that_finds_too_many_waiting_gets_no_place() {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let places = RequestLimiter::new();
            let mut held = Vec::new();
            for _ in 0..MAX_ANSWERED {
                held.push(places.take().await.unwrap());
            }
            let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(places.take())).collect();
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            for one in &mut waiting {
                assert!(one.as_mut().poll(&mut context).is_pending());
            }
            assert!(places.take().await.is_none());
            held.pop();
            assert!(waiting.remove(0).await.is_some());
        });
    }
}
