//! Recent processor time of the guests of one function, which decides whether the next guest is
//! offloaded from its start.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use telemetry::RequestInfo;
use tokio::task::yield_now;

/// Recent processor time of the guests of one function on one worker.
///
/// A guest that computes delays all other requests of its worker until it is offloaded. So a guest
/// is offloaded from its start if others of its function computed for long. Guests that end on
/// offload threads are measured as well, so none has to be tried on the worker: the function
/// returns to the worker when no guest was long for a period.
///
/// A single function has no neighbours to protect.
pub(crate) struct CpuHistory {
    has_neighbours: bool,
    seen: Cell<Seen>,
    /// Number of its offloaded guests.
    offloaded: Cell<usize>,
    /// Time that its guests had this worker since all other tasks last ran.
    spent: Cell<Duration>,
}

/// The observations of the guests of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    /// A guest took long by the clock, perhaps because the system ran another thread: the processor
    /// time of the next guest is measured.
    Delay,
    /// A guest computed for long, and ended then.
    Computation(Instant),
}

/// Processor time above which a guest is long: its neighbours would wait longer than most of them
/// take, and offloading costs little in comparison.
const LONG: Duration = Duration::from_millis(1);

/// The same for a guest that fails, whose response need not be quick.
const LONG_AND_FAILED: Duration = Duration::from_micros(100);

/// The period for which a function is offloaded after its last long guest.
const OFFLOAD_PERIOD: Duration = Duration::from_secs(1);

/// The time that guests of one function may have the worker, one after the other, until all other
/// tasks have run; and the time below which it is not counted.
const MAX_SPENT: Duration = Duration::from_millis(2);
const NEGLIGIBLE: Duration = Duration::from_micros(100);

impl CpuHistory {
    pub(crate) fn new(has_neighbours: bool) -> Rc<Self> {
        Rc::new(Self {
            has_neighbours,
            seen: Cell::new(Seen::Nothing),
            offloaded: Cell::default(),
            spent: Cell::default(),
        })
    }

    /// Whether a guest that starts now is offloaded: if its function has more requests than it can
    /// answer, which shows in a request that `has_waited`; if the function has just had this worker
    /// for long; or if its guests compute for long.
    pub(crate) fn should_offload(&self, has_waited: bool) -> bool {
        let is_long = || matches!(self.seen(), Seen::Computation(_));
        self.has_neighbours
            && (has_waited || self.spent.get() > MAX_SPENT || self.offloaded.get() > 0 || is_long())
    }

    /// The recent observations.
    fn seen(&self) -> Seen {
        match self.seen.get() {
            Seen::Computation(at) if at.elapsed() >= OFFLOAD_PERIOD => Seen::Nothing,
            seen => seen,
        }
    }

    /// Whether the processor time of the next guest has to be measured.
    pub(crate) fn needs_cpu_sample(&self) -> bool {
        self.seen.get() == Seen::Delay
    }

    /// Records that a guest has ended after it `used` this time, and whether it `failed`.
    pub(crate) fn record(&self, used: Duration, is_exact: bool, failed: bool) {
        let long = if failed { LONG_AND_FAILED } else { LONG };
        let seen = match (used > long, is_exact, self.seen()) {
            (true, true, _) => Seen::Computation(Instant::now()),
            (true, false, Seen::Nothing) => Seen::Delay,
            (false, true, Seen::Delay) => Seen::Nothing,
            (_, _, seen) => seen,
        };
        self.seen.set(seen);
    }

    /// Records that a guest had this worker for `time`.
    pub(crate) fn spend(self: &Rc<Self>, time: Duration) {
        if !self.has_neighbours || time < NEGLIGIBLE {
            return;
        }
        let before = self.spent.replace(self.spent.get() + time);
        if before.is_zero() {
            let history = self.clone();
            tokio::task::spawn_local(async move {
                // All other ready tasks have run after that.
                yield_now().await;
                history.spent.set(Duration::ZERO);
            });
        }
    }

    /// Counts the guest that works on `request` as offloaded until this is dropped.
    pub(crate) fn offload(self: &Rc<Self>, request: Arc<RequestInfo>) -> OffloadGuard {
        self.offloaded.set(self.offloaded.get() + 1);
        OffloadGuard {
            history: self.clone(),
            request,
            failed: false,
        }
    }
}

/// An offloaded guest, the processor time of which is measured.
pub(crate) struct OffloadGuard {
    history: Rc<CpuHistory>,
    request: Arc<RequestInfo>,
    failed: bool,
}

impl OffloadGuard {
    /// The guest has failed.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
    }
}

impl Drop for OffloadGuard {
    fn drop(&mut self) {
        let history = &self.history;
        history.offloaded.set(history.offloaded.get() - 1);
        history.record(self.request.cpu_clock().completed(), true, self.failed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::task::LocalSet;

    use super::*;

    const LONGER: Duration = Duration::from_millis(2);
    const SHORT: Duration = Duration::from_micros(20);

    #[test]
    fn a_function_that_had_the_worker_for_long_is_offloaded_until_the_next_iteration() {
        let runtime = Builder::new_current_thread().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let (alone, one) = (CpuHistory::new(false), CpuHistory::new(true));
            for history in [&alone, &one] {
                assert!(!history.should_offload(false));
                history.spend(LONGER);
                history.spend(LONGER);
            }
            assert!(one.should_offload(false) && !alone.should_offload(false));
            while one.should_offload(false) {
                yield_now().await;
            }
            for _ in 0..1000 {
                one.spend(SHORT);
            }
            assert!(!one.should_offload(false));
        });
    }

    #[test]
    fn only_a_function_with_neighbours_is_offloaded_from_the_start() {
        for has_neighbours in [true, false] {
            let history = CpuHistory::new(has_neighbours);
            assert!(!history.should_offload(false));
            assert_eq!(history.should_offload(true), has_neighbours);
            history.record(LONGER, true, false);
            assert_eq!(history.should_offload(false), has_neighbours);
        }
    }

    #[test]
    fn a_delay_is_measured_again_before_a_function_is_offloaded() {
        let history = CpuHistory::new(true);
        history.record(SHORT, false, false);
        assert!(!history.needs_cpu_sample());
        history.record(LONGER, false, false);
        assert!(history.needs_cpu_sample() && !history.should_offload(false));
        history.record(SHORT, true, false);
        assert!(!history.needs_cpu_sample() && !history.should_offload(false));
        history.record(LONGER, false, false);
        history.record(LONGER, true, false);
        assert!(!history.needs_cpu_sample() && history.should_offload(false));
        // A short one in between says nothing of the next.
        history.record(SHORT, true, false);
        assert!(history.should_offload(false));
    }

    #[test]
    fn a_function_returns_to_the_worker_after_the_offload_period() {
        let history = CpuHistory::new(true);
        let long_ago = Instant::now().checked_sub(OFFLOAD_PERIOD).unwrap();
        history.seen.set(Seen::Computation(long_ago));
        assert!(!history.should_offload(false));
        history.record(LONGER, false, false);
        assert!(history.needs_cpu_sample());
    }

    #[test]
    fn a_function_whose_guests_fail_is_offloaded_sooner() {
        let history = CpuHistory::new(true);
        let less = LONG_AND_FAILED * 2;
        history.record(less, true, false);
        assert!(!history.should_offload(false));
        history.record(less, true, true);
        assert!(history.should_offload(false));
        // On an offload thread it is the same.
        let history = CpuHistory::new(true);
        let request = RequestInfo::new(&http::Request::new(()), None, None);
        request.cpu_clock().use_thread_time();
        request.cpu_clock().begin_slice();
        let begin = Instant::now();
        while begin.elapsed() < less {}
        request.cpu_clock().end_slice();
        let mut guard = history.offload(Arc::new(request));
        guard.fail();
        drop(guard);
        assert!(history.should_offload(false));
    }

    #[test]
    fn while_a_guest_is_offloaded_the_next_ones_are() {
        let history = CpuHistory::new(true);
        let request = RequestInfo::new(&http::Request::new(()), None, None);
        let guard = history.offload(Arc::new(request));
        assert!(history.should_offload(false));
        drop(guard);
        assert!(!history.should_offload(false));
    }
}
