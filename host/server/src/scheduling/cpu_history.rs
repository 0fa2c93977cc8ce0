//! The processor time that guests of a function used lately, and whether the next one is
//! offloaded from its start.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::yield_now;

use telemetry::RequestInfo;

/// The processor time that the guests of one function used on one worker.
///
/// A guest that computes delays all other requests of its worker until it is offloaded. So
/// a guest is offloaded from its start where others of its function have computed for long.
/// Guests that end on the offload threads are measured as well, so none has to be tried out
/// on the worker again: the function returns to the worker when none was long for a while.
///
/// Where there is only one function, there is no other to protect from it.
pub(crate) struct CpuHistory {
    has_neighbours: bool,
    seen: Cell<Seen>,
    /// How many of its guests are offloaded.
    offloaded: Cell<usize>,
    /// The time that its guests had this worker since all others had their turn.
    spent: Cell<Duration>,
}

/// What was seen of the guests of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    /// A guest took long by the clock, perhaps only because the system ran another thread:
    /// the processor time of the next one is measured.
    Delay,
    /// A guest computed for long, which ended then.
    Computation(Instant),
}

/// The processor time of a guest that is long: its neighbours wait for longer than most of
/// them take, and to offload it costs little compared to it.
const LONG: Duration = Duration::from_millis(1);

/// The same of a guest that fails, whose response need not be quick.
const LONG_AND_FAILED: Duration = Duration::from_micros(100);

/// How long a function is offloaded after its last long computation.
const OFFLOAD_PERIOD: Duration = Duration::from_secs(1);

/// The time that the guests of one function may have the worker, one after the other, until
/// all others had their turn; and the time that is too short to be counted.
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

    /// Whether a guest that begins now is offloaded: where its function has more requests
    /// than it can answer, which shows if the request `has_waited`, where it has just had
    /// this worker for long enough, or has guests that compute for long.
    pub(crate) fn should_offload(&self, has_waited: bool) -> bool {
        let is_long = || matches!(self.seen(), Seen::Computation(_));
        self.has_neighbours
            && (has_waited || self.spent.get() > MAX_SPENT || self.offloaded.get() > 0 || is_long())
    }

    /// What was seen lately.
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

    /// Records that a guest has ended, which `used` so much time, and may have `failed`.
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

    /// Records that a guest had this worker for so long.
    pub(crate) fn spend(self: &Rc<Self>, time: Duration) {
        if !self.has_neighbours || time < NEGLIGIBLE {
            return;
        }
        let before = self.spent.replace(self.spent.get() + time);
        if before.is_zero() {
            let history = self.clone();
            tokio::task::spawn_local(async move {
                // All others that are ready have had their turn after that.
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
        history.record(self.request.cpu_clock().counted(), true, self.failed);
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
    fn a_function_that_had_the_worker_for_long_is_offloaded_until_the_others_had_their_turn() {
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
        request.cpu_clock().be_exact();
        request.cpu_clock().begin_turn();
        let begin = Instant::now();
        while begin.elapsed() < less {}
        request.cpu_clock().end_turn();
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
