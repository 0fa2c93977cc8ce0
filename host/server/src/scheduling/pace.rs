//! Limit of the requests of one function that start in one iteration of a worker's event loop.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use tokio::task::{spawn_local, yield_now};

use crate::scheduling::crowding::Crowding;

/// Number of requests of one function that start in one iteration. A worker polls ready tasks in
/// order: those of other functions wait while these start or are rejected.
const MAX_STARTED: u32 = 4;

/// The event loop of one worker, which polls for new events in each iteration.
#[derive(Debug, Default)]
pub(crate) struct EventLoop {
    /// Number of iterations.
    iterations: Cell<u64>,
    pub(crate) crowding: Arc<Crowding>,
}

impl EventLoop {
    pub(crate) fn new(crowding: Arc<Crowding>) -> Rc<Self> {
        Rc::new(Self {
            iterations: Cell::default(),
            crowding,
        })
    }

    /// Runs `main` as the first task of each iteration, and counts iterations.
    pub(crate) async fn run<F: Future>(&self, main: F) -> F::Output {
        let mut main = pin!(main);
        std::future::poll_fn(|cx: &mut Context<'_>| -> Poll<F::Output> {
            self.iterations.set(self.iterations.get() + 1);
            Pin::as_mut(&mut main).poll(cx)
        })
        .await
    }
}

/// Lets a number of requests start in each iteration, and the others in the next ones.
///
/// One function cannot fill the event loop of a worker with its requests, whether they are served
/// or rejected.
pub(crate) struct Pace {
    event_loop: Rc<EventLoop>,
    /// Number of requests that started in the iteration of this number.
    started: Cell<(u64, u32)>,
    waiting: RefCell<VecDeque<oneshot::Sender<()>>>,
}

impl Pace {
    pub(crate) fn new(event_loop: Rc<EventLoop>) -> Rc<Self> {
        Rc::new(Self {
            event_loop,
            started: Cell::default(),
            waiting: RefCell::default(),
        })
    }

    /// Waits until the next request may start.
    pub(crate) async fn next(self: &Rc<Self>) {
        let is_queue_empty = self.waiting.borrow().is_empty();
        if is_queue_empty && self.try_start() {
            return;
        }
        let (sender, released) = oneshot::channel();
        self.waiting.borrow_mut().push_back(sender);
        if is_queue_empty {
            spawn_local(self.clone().release_waiting());
        }
        // An error means that the worker ends, and this task with it.
        let _ = released.await;
    }

    /// Whether the next request has to wait.
    pub(crate) fn is_full(&self) -> bool {
        !self.waiting.borrow().is_empty() || self.started() >= MAX_STARTED
    }

    /// Starts one more request, if this iteration has room for it.
    fn try_start(&self) -> bool {
        let started = self.started();
        self.started
            .set((self.event_loop.iterations.get(), started + 1));
        started < MAX_STARTED
    }

    /// Number of requests that started in this iteration.
    fn started(&self) -> u32 {
        match self.started.get() {
            (iteration, started) if iteration == self.event_loop.iterations.get() => started,
            _ => 0,
        }
    }

    /// Lets waiting requests start.
    async fn release_waiting(self: Rc<Self>) {
        while !self.waiting.borrow().is_empty() {
            self.event_loop.crowding.note();
            yield_now().await;
            let mut started = 0;
            while started < MAX_STARTED {
                let Some(next) = self.waiting.borrow_mut().pop_front() else {
                    break;
                };
                // An error means that the client has left.
                started += u32::from(next.send(()).is_ok());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::task::LocalSet;

    use super::*;

    /// Number of requests that have started after each iteration, of `requests` that arrive
    /// together.
    fn begun(requests: u32, iterations: usize) -> Vec<u32> {
        let runtime = Builder::new_current_thread().build().unwrap();
        let counter = EventLoop::new(Arc::default());
        let pace = Pace::new(counter.clone());
        let begun = Rc::new(Cell::new(0));
        let main = async {
            for _ in 0..requests {
                let (pace, begun) = (pace.clone(), begun.clone());
                spawn_local(async move {
                    pace.next().await;
                    begun.set(begun.get() + 1);
                });
            }
            let mut after = Vec::new();
            for _ in 0..iterations {
                yield_now().await;
                after.push(begun.get());
            }
            after
        };
        LocalSet::new().block_on(&runtime, counter.run(main))
    }

    #[test]
    fn requests_up_to_the_pace_start_in_one_iteration() {
        assert_eq!(begun(MAX_STARTED, 1), [MAX_STARTED]);
    }

    #[test]
    fn requests_above_the_pace_start_in_the_next_iterations() {
        let after = begun(MAX_STARTED * 3, 20);
        let in_one: Vec<_> = after.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(after[0], MAX_STARTED);
        assert_eq!(after.last(), Some(&(MAX_STARTED * 3)));
        assert!(in_one.iter().all(|more| *more <= MAX_STARTED), "{after:?}");
    }

    #[test]
    fn a_cancelled_request_does_not_count() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let counter = EventLoop::new(Arc::default());
        let pace = Pace::new(counter.clone());
        let main = async {
            for _ in 0..MAX_STARTED {
                pace.next().await;
            }
            let waiting = |pace: &Rc<Pace>| {
                let pace = pace.clone();
                spawn_local(async move { pace.next().await })
            };
            let left: Vec<_> = (0..MAX_STARTED * 2).map(|_| waiting(&pace)).collect();
            let last = waiting(&pace);
            for one in &left {
                one.abort();
            }
            last.await
        };
        let last = LocalSet::new().block_on(&runtime, counter.run(main));
        assert!(last.is_ok());
    }
}
