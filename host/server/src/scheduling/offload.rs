//! Threads for CPU-bound guests.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use async_task::{FallibleTask, Runnable};
use engine::EpochInterval;
use rustix::time::{ClockId, clock_gettime};
use telemetry::RequestInfo;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::yield_now;

use crate::scheduling::crowding::Crowding;
use crate::scheduling::fair_queue::{FairQueue, Key};

/// Niceness that is added to these threads: enough that a worker that wakes up has mostly used less
/// than its share, and preempts them at once; so little that they get more than two fifths of a
/// processor beside a busy thread of another program.
const NICENESS: i32 = 1;

/// The same of the threads that run guests while workers are crowded: a worker gets two and a half
/// times what a guest gets of the same processor. A much higher niceness would starve guests where
/// workers and other programs are busy all the time.
const CROWDED_NICENESS: i32 = 4;

/// A thread yields again after it has computed this multiple of the duration of its last yield.
/// Next to a worker, that is after each time slice; next to a busy thread of another program,
/// yields would cost a large part of its share.
const YIELD_PERIOD: u32 = 4;

/// The work of a guest until its request is over.
pub(crate) type Guest<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An offloaded guest, which is cancelled when this is dropped. It resolves to None if the guest
/// panicked or the process ends.
pub(crate) type OffloadedGuest<T> = FallibleTask<T>;

/// Threads for CPU-bound guests. They share the processors with the workers and with other programs
/// by the scheduler of the system. Which guest runs next on them is decided by a [`FairQueue`], at
/// each tick of the epoch.
///
/// A second set of threads runs guests while workers are crowded.
pub(crate) struct OffloadRuntime {
    runtimes: Vec<Runtime>,
    queue: Arc<Queue>,
}

/// Offloads guests.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Queue>);

impl OffloadRuntime {
    /// Starts this number of threads in each of the two sets.
    pub(crate) fn start(
        threads: NonZeroUsize,
        interval: Arc<EpochInterval>,
        crowding: Arc<Crowding>,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue {
            guests: Mutex::default(),
            waiting: Semaphore::new(0),
            interval,
            crowding,
        });
        let runtimes = [Duty::Usual, Duty::Crowded].map(|duty| {
            let runtime = Builder::new_multi_thread()
                .worker_threads(threads.get())
                .thread_name(duty.thread_name())
                .enable_all()
                .on_thread_start(move || priority::add_niceness(duty.niceness()))
                .build()?;
            for _ in 0..threads.get() {
                runtime.spawn(queue.clone().serve(duty));
            }
            Ok(runtime)
        });
        let runtimes = runtimes.into_iter().collect::<io::Result<_>>()?;
        Ok(Self { runtimes, queue })
    }

    pub(crate) fn handle(&self) -> Handle {
        Handle(self.queue.clone())
    }
}

impl Drop for OffloadRuntime {
    /// The clients of the remaining guests are gone.
    fn drop(&mut self) {
        for runtime in self.runtimes.drain(..) {
            runtime.shutdown_background();
        }
        // Each guest holds the queue that it is in.
        let guests = std::mem::take(&mut *self.queue.guests());
        drop(guests);
    }
}

impl Handle {
    /// Continues a guest of `function`, which serves `request`, on these threads.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        function: Key,
        mut guest: Guest<T>,
        request: Arc<RequestInfo>,
    ) -> OffloadedGuest<T> {
        let measured = std::future::poll_fn(move |cx| {
            request.cpu_clock().begin_slice();
            let done = guest.as_mut().poll(cx);
            request.cpu_clock().end_slice();
            done
        });
        self.spawn(function, measured).fallible()
    }

    /// Drops the remains of a guest of `function`, where that takes the system long.
    pub(crate) fn drop_off_thread(&self, function: Key, large: impl Send + 'static) {
        self.spawn(function, async { drop(large) }).detach();
    }

    fn spawn<T: Send + 'static>(
        &self,
        function: Key,
        work: impl Future<Output = T> + Send + 'static,
    ) -> async_task::Task<T> {
        let queue = self.0.clone();
        let (runnable, task) =
            async_task::spawn(work, move |runnable| queue.push(function, runnable));
        runnable.schedule();
        task
    }
}

/// The guests that can continue, and their number.
struct Queue {
    guests: Mutex<FairQueue<Runnable>>,
    waiting: Semaphore,
    interval: Arc<EpochInterval>,
    crowding: Arc<Crowding>,
}

/// The condition on which a thread takes guests.
#[derive(Debug, Clone, Copy)]
enum Duty {
    /// Unless workers are crowded.
    Usual,
    /// While workers are crowded.
    Crowded,
}

impl Duty {
    fn thread_name(self) -> &'static str {
        match self {
            Self::Usual => "offload",
            Self::Crowded => "offload-nice",
        }
    }

    fn niceness(self) -> i32 {
        match self {
            Self::Usual => NICENESS,
            Self::Crowded => CROWDED_NICENESS,
        }
    }

    fn is_on(self, crowding: &Crowding) -> bool {
        matches!(self, Self::Crowded) == crowding.is_on()
    }

    /// Waits until a thread may take guests.
    async fn begins(self, crowding: &Crowding) {
        match self {
            Self::Usual => crowding.ends().await,
            Self::Crowded => crowding.begins().await,
        }
    }
}

impl Queue {
    fn push(&self, function: Key, guest: Runnable) {
        self.guests().push(function, guest);
        self.waiting.add_permits(1);
    }

    /// Runs one guest after the other, each until it waits or the epoch ticks.
    ///
    /// A worker that has used more than its share when it wakes up does not preempt this thread:
    /// the scheduler decides again after up to 4 ms, or when this thread yields.
    async fn serve(self: Arc<Self>, duty: Duty) {
        let mut yields = Yields::default();
        loop {
            duty.begins(&self.crowding).await;
            let permit = self.waiting.acquire().await;
            let permit = permit.expect("the semaphore is never closed");
            if !duty.is_on(&self.crowding) {
                continue;
            }
            permit.forget();
            let Some((function, guest)) = self.guests().pop() else {
                continue;
            };
            let before = cpu_time();
            self.interval.shorten();
            // A guest that panics is lost; its client gets a response that says so.
            let _ = catch_unwind(AssertUnwindSafe(|| guest.run()));
            let used = cpu_time().saturating_sub(before);
            self.guests().charge(function, used);
            yields.after(used, thread::yield_now);
            // The runtime serves timers and sockets of guests in between.
            yield_now().await;
        }
    }

    fn guests(&self) -> MutexGuard<'_, FairQueue<Runnable>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decides when a thread yields its processor to other threads.
#[derive(Default)]
struct Yields {
    /// Processor time since the last yield.
    used: Duration,
    /// Duration of the last yield.
    last: Duration,
}

impl Yields {
    /// Yields if it is due after `used` more processor time.
    fn after(&mut self, used: Duration, yield_now: impl FnOnce()) {
        self.used += used;
        if self.used >= self.last * YIELD_PERIOD {
            let begin = Instant::now();
            yield_now();
            self.last = begin.elapsed();
            self.used = Duration::ZERO;
        }
    }
}

/// Processor time of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::sync::mpsc;
    use std::task::Poll;

    use super::*;

    fn offload<T: Send + 'static>(
        handle: &Handle,
        function: Key,
        guest: impl Future<Output = T> + Send + 'static,
    ) -> OffloadedGuest<T> {
        let request = RequestInfo::new(&http::Request::new(()), None, None);
        request.cpu_clock().use_thread_time();
        handle.run(function, Box::pin(guest), Arc::new(request))
    }

    fn wait<T>(task: impl Future<Output = T>) -> T {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(task)
    }

    fn one_thread() -> OffloadRuntime {
        OffloadRuntime::start(NonZeroUsize::MIN, Arc::default(), Arc::default()).unwrap()
    }

    #[test]
    fn a_guest_does_not_wait_behind_a_hundred_guests_of_another_function() {
        let runtime = one_thread();
        let handle = runtime.handle();
        let (go_on, is_over) = mpsc::channel::<()>();
        let (served, order) = mpsc::channel();
        // It has the thread until all others are queued.
        let first = offload(&handle, 1, async move { is_over.recv().is_err() });
        let guest = |function| {
            let served = served.clone();
            offload(&handle, function, async move { served.send(function) })
        };
        let guests: Vec<_> = (0..100).map(|_| guest(1)).chain([guest(2)]).collect();
        drop(go_on);
        assert_eq!(wait(first), Some(true));
        for guest in guests {
            assert!(wait(guest).is_some_and(|sent| sent.is_ok()));
        }
        assert_eq!(order.recv(), Ok(2));
    }

    #[test]
    fn a_thread_yields_after_each_slice_unless_its_last_yield_took_long() {
        const SLICE: Duration = Duration::from_micros(250);

        let mut yields = Yields::default();
        for _ in 0..3 {
            let mut has_yielded = false;
            yields.after(SLICE, || has_yielded = true);
            assert!(has_yielded);
            // As fast as where no other thread waits.
            yields.last = Duration::ZERO;
        }
        yields.last = SLICE * 4;
        for _ in 0..4 * YIELD_PERIOD - 1 {
            yields.after(SLICE, || panic!("too soon"));
        }
        let mut has_yielded = false;
        yields.after(SLICE, || has_yielded = true);
        assert!(has_yielded);
    }

    #[test]
    fn guests_that_compute_take_turns_on_one_thread() {
        let runtime = one_thread();
        let handle = runtime.handle();
        // Each yields until the other has run.
        let (left, right) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(false)));
        let guest = |own: Arc<Mutex<bool>>, other: Arc<Mutex<bool>>| {
            poll_fn(move |cx| {
                *own.lock().unwrap() = true;
                if *other.lock().unwrap() {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
        };
        let first = offload(&handle, 1, guest(left.clone(), right.clone()));
        let second = offload(&handle, 2, guest(right, left));
        assert_eq!((wait(first), wait(second)), (Some(()), Some(())));
    }

    #[test]
    fn a_guest_that_panics_is_lost_and_its_thread_serves_the_next() {
        let runtime = one_thread();
        let handle = runtime.handle();
        let lost = offload(&handle, 1, async { panic!("as a test") });
        assert_eq!(wait(lost), None::<()>);
        let name = async { thread::current().name().map(str::to_owned) };
        let name = wait(offload(&handle, 1, name));
        assert_eq!(name, Some(Some("offload".to_owned())));
    }

    #[test]
    fn a_guest_is_dropped_with_its_task() {
        let runtime = one_thread();
        let (held, is_dropped) = mpsc::channel::<()>();
        let guest = offload(&runtime.handle(), 1, async move {
            pending::<()>().await;
            drop(held);
        });
        drop(guest);
        assert!(is_dropped.recv().is_err());
    }
}
