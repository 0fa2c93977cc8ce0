//! Admission control: the concurrency limit and the wait queue of one function on one worker.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use telemetry::Rejection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::scheduling::shared_slots::RequestSlots;

/// Admits the requests of one function on one worker.
///
/// Two things are limited. The pool has a number of *instance permits*; a request without one
/// waits. And a number of requests may *run*: where guests compute, a worker that interleaves all
/// of them finishes none, and does not get to reject others either. The limit of running requests
/// follows from the duration of one iteration of the event loop: it grows while iterations are
/// short, as they are where guests wait for I/O, and shrinks while they are long.
pub(crate) struct Admission {
    permits: Arc<Semaphore>,
    max_instances: usize,
    /// The slots of the pool, where functions share it.
    shared_slots: Option<RequestSlots>,
    running: Cell<usize>,
    max_running: Cell<usize>,
    waiting: RefCell<VecDeque<oneshot::Sender<RunPermit>>>,
    queued: Cell<usize>,
    max_queued: usize,
    queue_timeout: Duration,
    /// Whether a task measures the iterations of the event loop.
    is_measuring: Cell<bool>,
}

/// Limit of running requests on one worker before the first measurement.
const FIRST_RUNNING: usize = 16;

/// Iterations above this duration lower the limit; iterations below [`SHORT_ITERATION`] raise it.
const LONG_ITERATION: Duration = Duration::from_millis(15);
/// See [`LONG_ITERATION`].
const SHORT_ITERATION: Duration = Duration::from_millis(5);

/// An iteration below this duration leaves time for many more guests: they wait for I/O.
const IDLE_ITERATION: Duration = Duration::from_millis(1);

/// Pause between two iterations that are measured.
const MEASURING_INTERVAL: Duration = Duration::from_millis(2);

/// The right to one instance of the pool.
pub(crate) struct InstancePermit {
    /// Of the function.
    _own: OwnedSemaphorePermit,
    common: CommonSlots,
}

/// Slots of the pool of all functions, which the segments of one function share. None where the
/// pool has enough for all.
#[derive(Clone)]
pub(crate) struct CommonSlots {
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl InstancePermit {
    fn new(own: OwnedSemaphorePermit, common: Option<OwnedSemaphorePermit>) -> Self {
        let common = CommonSlots {
            _permit: common.map(Arc::new),
        };
        Self { _own: own, common }
    }

    /// The slots of the pool that it holds.
    pub(crate) fn common(&self) -> &CommonSlots {
        &self.common
    }

    /// Holds the slots of the middleware in front as well: the next guest may outlive it.
    pub(crate) fn share(&mut self, outer: &CommonSlots) {
        self.common = outer.clone();
    }
}

/// The right to run on this worker.
pub(crate) struct RunPermit(Rc<Admission>);

impl Admission {
    pub(crate) fn new(
        max_instances: usize,
        max_queued: usize,
        queue_timeout: Duration,
        shared_slots: Option<RequestSlots>,
    ) -> Rc<Self> {
        Rc::new(Self {
            permits: Arc::new(Semaphore::new(max_instances)),
            max_instances,
            shared_slots,
            running: Cell::new(0),
            max_running: Cell::new(FIRST_RUNNING.min(max_instances)),
            waiting: RefCell::default(),
            queued: Cell::new(0),
            max_queued,
            queue_timeout,
            is_measuring: Cell::new(false),
        })
    }

    /// Admits a request if it need not wait.
    pub(crate) fn try_admit(self: &Rc<Self>) -> Option<(RunPermit, InstancePermit)> {
        let is_free = self.queued.get() == 0 && self.running.get() < self.max_running.get();
        let own = self.permits.clone();
        let own = is_free.then(|| own.try_acquire_owned().ok())??;
        let common = match &self.shared_slots {
            Some(shared_slots) => Some(shared_slots.try_acquire(self.is_first_instance())?),
            None => None,
        };
        let permit = InstancePermit::new(own, common);
        Some((self.run(), permit))
    }

    /// Whether the permit that was just taken is the only one of the function.
    fn is_first_instance(&self) -> bool {
        self.permits.available_permits() + 1 == self.max_instances
    }

    /// Waits until a request is admitted.
    ///
    /// # Errors
    ///
    /// Fails if the queue is full, or the request was in it for too long.
    pub(crate) async fn admit(self: &Rc<Self>) -> Result<(RunPermit, InstancePermit), Rejection> {
        if let Some(admitted) = self.try_admit() {
            return Ok(admitted);
        }
        if self.queued.get() >= self.max_queued {
            return Err(Rejection::QueueFull);
        }
        let queued = Queued::new(self);
        let admitted = async {
            let run = self.run_permit().await;
            let own = self.permits.clone().acquire_owned().await;
            let common = match &self.shared_slots {
                Some(shared_slots) => Some(shared_slots.acquire(self.is_first_instance()).await),
                None => None,
            };
            let own = own.expect("the semaphore is never closed");
            (run, InstancePermit::new(own, common))
        };
        let admitted = timeout(self.queue_timeout, admitted).await;
        drop(queued);
        admitted.map_err(|_| Rejection::QueueTimeout)
    }

    fn run(self: &Rc<Self>) -> RunPermit {
        self.running.set(self.running.get() + 1);
        RunPermit(self.clone())
    }

    async fn run_permit(self: &Rc<Self>) -> RunPermit {
        if self.waiting.borrow().is_empty() && self.running.get() < self.max_running.get() {
            return self.run();
        }
        let (sender, permit) = oneshot::channel();
        self.waiting.borrow_mut().push_back(sender);
        self.measure();
        permit.await.expect("each waiting request gets a permit")
    }

    /// Hands run permits to waiting requests.
    fn hand_out(self: &Rc<Self>) {
        while self.running.get() < self.max_running.get() {
            let Some(next) = self.waiting.borrow_mut().pop_front() else {
                break;
            };
            // A request that no longer waits releases its permit by dropping it.
            if !next.is_closed() {
                drop(next.send(self.run()));
            }
        }
    }

    /// Measures iterations of the event loop while requests wait, and adjusts the limit.
    fn measure(self: &Rc<Self>) {
        if self.is_measuring.replace(true) {
            return;
        }
        let admission = self.clone();
        tokio::task::spawn_local(async move {
            while !admission.waiting.borrow().is_empty() {
                // Unlike measuring all iterations, this leaves the processor to guests on other
                // threads, and the worker its share of it.
                sleep(MEASURING_INTERVAL).await;
                let begin = Instant::now();
                yield_now().await;
                admission.adjust(begin.elapsed());
                admission.hand_out();
            }
            admission.is_measuring.set(false);
        });
    }

    fn adjust(&self, iteration: Duration) {
        let limit = self.max_running.get();
        let adjusted = if iteration > LONG_ITERATION {
            // As many as would have had an iteration that is not too long.
            let running = limit.min(self.running.get());
            let fitting = running as u128 * LONG_ITERATION.as_nanos() / iteration.as_nanos();
            usize::try_from(fitting).map_or(limit, |fitting| fitting.max(1))
        } else if iteration < SHORT_ITERATION {
            // Bounded, so that the limit keeps a meaning.
            let more = if iteration < IDLE_ITERATION {
                limit
            } else {
                1 + limit / 8
            };
            (limit + more).min(2 * self.running.get() + FIRST_RUNNING)
        } else {
            limit
        };
        self.max_running.set(adjusted);
    }
}

impl Drop for RunPermit {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get() - 1);
        self.0.hand_out();
    }
}

/// Counts a waiting request.
struct Queued<'a>(&'a Admission);

impl<'a> Queued<'a> {
    fn new(admission: &'a Admission) -> Self {
        admission.queued.set(admission.queued.get() + 1);
        Self(admission)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.queued.set(self.0.queued.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::task::{LocalSet, spawn_local};

    use super::*;

    const SOON: Duration = Duration::from_millis(1);
    const LATER: Duration = Duration::from_mins(10);

    fn run(test: impl Future<Output = ()>) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, test);
    }

    #[test]
    fn waiting_requests_are_admitted_in_order() {
        run(async {
            let admission = Admission::new(1, 10, LATER, None);
            let first = admission.admit().await.unwrap();
            let order = Rc::new(RefCell::new(Vec::new()));
            let tasks: Vec<_> = (0..3)
                .map(|number| {
                    let (admission, order) = (admission.clone(), order.clone());
                    spawn_local(async move {
                        let _admitted = admission.admit().await.unwrap();
                        order.borrow_mut().push(number);
                    })
                })
                .collect();
            yield_now().await;
            assert!(order.borrow().is_empty());
            drop(first);
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(*order.borrow(), [0, 1, 2]);
        });
    }

    #[test]
    fn max_queued_rejects_at_once() {
        run(async {
            let admission = Admission::new(1, 1, LATER, None);
            let _first = admission.admit().await.unwrap();
            let second = {
                let admission = admission.clone();
                spawn_local(async move { admission.admit().await.map(drop) })
            };
            yield_now().await;
            assert_eq!(admission.admit().await.err(), Some(Rejection::QueueFull));
            second.abort();
            let _ = second.await;
            assert_eq!(admission.queued.get(), 0);
        });
    }

    #[test]
    fn queue_timeout_rejects() {
        run(async {
            let admission = Admission::new(1, 1, SOON, None);
            let first = admission.admit().await.unwrap();
            assert_eq!(admission.admit().await.err(), Some(Rejection::QueueTimeout));
            drop(first);
            assert!(admission.admit().await.is_ok());
        });
    }

    #[test]
    fn the_concurrency_limit_follows_the_duration_of_an_iteration() {
        let admission = Admission::new(1000, 1000, LATER, None);
        admission.running.set(16);
        admission.adjust(Duration::from_millis(30));
        assert_eq!(admission.max_running.get(), 8);
        admission.adjust(Duration::from_millis(10));
        assert_eq!(admission.max_running.get(), 8);
        admission.adjust(SOON);
        assert_eq!(admission.max_running.get(), 10);
        for _ in 0..100 {
            admission.adjust(Duration::from_secs(1));
            admission.running.set(admission.max_running.get());
        }
        assert_eq!(admission.max_running.get(), 1);
    }

    #[test]
    fn the_concurrency_limit_grows_while_guests_wait() {
        run(async {
            let admission = Admission::new(500, 500, LATER, None);
            let tasks: Vec<_> = (0..500)
                .map(|_| {
                    let admission = admission.clone();
                    spawn_local(async move { admission.admit().await.unwrap() })
                })
                .collect();
            let mut admitted = Vec::new();
            for task in tasks {
                admitted.push(task.await.unwrap());
            }
            assert_eq!(admission.running.get(), 500);
        });
    }
}
