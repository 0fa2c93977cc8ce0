//! Who may begin, who waits, and who is turned away.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::scheduling::shared_slots::SharedSlots;
use telemetry::Rejection;

/// Lets the requests of one thread to one function begin.
///
/// Two things are limited. There are so many *places* in the pool of instances, and
/// whoever has none waits. And so many requests may *run*: where guests compute, a
/// thread that works on all of them at once gets to none of them, nor to those who have
/// to be told that the server is busy. That limit follows from how long a turn of the
/// thread takes: it grows while turns are short, which they are where guests wait, and
/// shrinks where they are long.
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    max_places: usize,
    /// Where the pool is shared with other functions.
    shared_slots: Option<Rc<SharedSlots>>,
    running: Cell<usize>,
    max_running: Cell<usize>,
    waiting: RefCell<VecDeque<oneshot::Sender<RunPermit>>>,
    queued: Cell<usize>,
    max_queued: usize,
    queue_timeout: Duration,
    /// Whether somebody measures the turns of this thread.
    is_measured: Cell<bool>,
}

/// How many requests of one thread may run before anything is known of them.
const FIRST_RUNNING: usize = 16;

/// `YieldBudget` that are longer make the limit smaller, and shorter ones larger.
const LONG_TURN: Duration = Duration::from_millis(15);
const SHORT_TURN: Duration = Duration::from_millis(5);

/// Room for one instance in the pool.
pub(crate) struct InstancePermit {
    /// Among those of the function.
    _own: OwnedSemaphorePermit,
    /// Among those of all functions.
    _common: Option<OwnedSemaphorePermit>,
}

/// The right to run on this thread.
pub(crate) struct RunPermit(Rc<Admission>);

impl Admission {
    pub(crate) fn new(
        places: usize,
        max_queued: usize,
        queue_timeout: Duration,
        shared_slots: Option<Rc<SharedSlots>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            places: Arc::new(Semaphore::new(places)),
            max_places: places,
            shared_slots,
            running: Cell::new(0),
            max_running: Cell::new(FIRST_RUNNING.min(places)),
            waiting: RefCell::default(),
            queued: Cell::new(0),
            max_queued,
            queue_timeout,
            is_measured: Cell::new(false),
        })
    }

    /// Lets a request begin that need not wait.
    pub(crate) fn admit_at_once(self: &Rc<Self>) -> Option<(RunPermit, InstancePermit)> {
        let is_free = self.queued.get() == 0 && self.running.get() < self.max_running.get();
        let own = self.places.clone();
        let own = is_free.then(|| own.try_acquire_owned().ok())??;
        let common = match &self.shared_slots {
            Some(shared_slots) => Some(shared_slots.take_at_once(self.has_one_place())?),
            None => None,
        };
        let place = InstancePermit {
            _own: own,
            _common: common,
        };
        Some((self.run(), place))
    }

    /// Whether the function has no place but for the one that was just taken.
    fn has_one_place(&self) -> bool {
        self.places.available_permits() + 1 == self.max_places
    }

    /// Waits until a request may begin.
    ///
    /// # Errors
    ///
    /// Fails if too many wait already, or nothing became free in time.
    pub(crate) async fn admit(self: &Rc<Self>) -> Result<(RunPermit, InstancePermit), Rejection> {
        if let Some(admitted) = self.admit_at_once() {
            return Ok(admitted);
        }
        if self.queued.get() >= self.max_queued {
            return Err(Rejection::QueueFull);
        }
        let queued = Queued::new(self);
        let admitted = async {
            let turn = self.turn().await;
            let own = self.places.clone().acquire_owned().await;
            let common = match &self.shared_slots {
                Some(shared_slots) => Some(shared_slots.take(self.has_one_place()).await),
                None => None,
            };
            let place = InstancePermit {
                _own: own.expect("the semaphore is never closed"),
                _common: common,
            };
            (turn, place)
        };
        let admitted = timeout(self.queue_timeout, admitted).await;
        drop(queued);
        admitted.map_err(|_| Rejection::QueueTimeout)
    }

    fn run(self: &Rc<Self>) -> RunPermit {
        self.running.set(self.running.get() + 1);
        RunPermit(self.clone())
    }

    async fn turn(self: &Rc<Self>) -> RunPermit {
        if self.waiting.borrow().is_empty() && self.running.get() < self.max_running.get() {
            return self.run();
        }
        let (sender, turn) = oneshot::channel();
        self.waiting.borrow_mut().push_back(sender);
        self.measure();
        turn.await.expect("whoever waits is called in the end")
    }

    /// Calls those who may run now.
    fn call(self: &Rc<Self>) {
        while self.running.get() < self.max_running.get() {
            let Some(next) = self.waiting.borrow_mut().pop_front() else {
                break;
            };
            // One that waits no more gives its turn back by dropping it.
            if !next.is_closed() {
                drop(next.send(self.run()));
            }
        }
    }

    /// Measures the turns of this thread while somebody waits, and sets the limit.
    fn measure(self: &Rc<Self>) {
        if self.is_measured.replace(true) {
            return;
        }
        let admission = self.clone();
        tokio::task::spawn_local(async move {
            while !admission.waiting.borrow().is_empty() {
                let begin = Instant::now();
                yield_now().await;
                admission.adjust(begin.elapsed());
                admission.call();
            }
            admission.is_measured.set(false);
        });
    }

    fn adjust(&self, turn: Duration) {
        let limit = self.max_running.get();
        let adjusted = if turn > LONG_TURN {
            // As many as would have had a turn that is not too long.
            let running = limit.min(self.running.get());
            let fitting = running as u128 * LONG_TURN.as_nanos() / turn.as_nanos();
            usize::try_from(fitting).map_or(limit, |fitting| fitting.max(1))
        } else if turn < SHORT_TURN {
            // Never so many that the limit means nothing any more.
            (limit + 1 + limit / 8).min(self.running.get() + FIRST_RUNNING)
        } else {
            limit
        };
        self.max_running.set(adjusted);
    }
}

impl Drop for RunPermit {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get() - 1);
        self.0.call();
    }
}

/// Counts somebody who waits.
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
    fn who_comes_first_begins_first() {
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
    fn who_finds_a_full_queue_is_turned_away_at_once() {
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
    fn who_waits_too_long_is_turned_away() {
        run(async {
            let admission = Admission::new(1, 1, SOON, None);
            let first = admission.admit().await.unwrap();
            assert_eq!(admission.admit().await.err(), Some(Rejection::QueueTimeout));
            drop(first);
            assert!(admission.admit().await.is_ok());
        });
    }

    #[test]
    fn the_limit_follows_the_length_of_a_turn() {
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
    fn many_may_run_where_nobody_computes() {
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
