//! Whether the guests of a function have computed for long, so that the next one of them
//! should give way.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::yield_now;

use crate::RequestInfo;

/// How the guests of one function behave on one worker.
///
/// A guest that computes keeps all others of its thread waiting until it is clear that it
/// should do that in the background. So it begins there if others of its function have
/// computed for long. Each that ends there says how long it took, so nobody has to try it
/// out on this thread again: the function comes back when none was long for a while.
///
/// Where there is only one function, it has nobody to give way to.
pub(super) struct Conduct {
    has_neighbours: bool,
    seen: Cell<Seen>,
    /// How many of its guests are in the background.
    away: Cell<usize>,
    /// How long its guests have had this thread since all others had their turn.
    spent: Cell<Duration>,
}

/// What was seen of the guests of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    /// A guest took long, and perhaps only because the system had something else to do:
    /// the next one is measured exactly.
    Delay,
    /// A guest computed for long, and this is when it was over.
    Computation(Instant),
}

/// A guest that computes for longer keeps its neighbours waiting for longer than most of
/// them take, and to move it costs little compared to it.
const LONG: Duration = Duration::from_millis(1);

/// What a guest may compute that fails: whoever fails anyway need not be quick.
const LONG_FOR_NOTHING: Duration = Duration::from_micros(100);

/// How long a function goes on in the background after its last long computation.
const LATELY: Duration = Duration::from_secs(1);

/// How long the guests of one function may have the thread, one after the other, until all
/// others had their turn; and what is too short to be counted.
const MAX_AT_A_TIME: Duration = Duration::from_millis(2);
const CHEAP: Duration = Duration::from_micros(100);

impl Conduct {
    pub(super) fn new(has_neighbours: bool) -> Rc<Self> {
        Rc::new(Self {
            has_neighbours,
            seen: Cell::new(Seen::Nothing),
            away: Cell::default(),
            spent: Cell::default(),
        })
    }

    /// Whether a guest that begins now goes to the background: where its function has more
    /// requests than it can answer, which it shows if the request `has_waited`, has just had
    /// this thread for long enough, or has guests that compute for long.
    pub(super) fn gives_way(&self, has_waited: bool) -> bool {
        let is_long = || matches!(self.seen(), Seen::Computation(_));
        self.has_neighbours
            && (has_waited || self.spent.get() > MAX_AT_A_TIME || self.away.get() > 0 || is_long())
    }

    /// What was seen lately.
    fn seen(&self) -> Seen {
        match self.seen.get() {
            Seen::Computation(at) if at.elapsed() >= LATELY => Seen::Nothing,
            seen => seen,
        }
    }

    /// Whether the next guest has to be measured exactly.
    pub(super) fn is_suspect(&self) -> bool {
        self.seen.get() == Seen::Delay
    }

    /// A guest is over, which has computed for so long, and may have `failed`.
    pub(super) fn note(&self, used: Duration, is_exact: bool, failed: bool) {
        let long = if failed { LONG_FOR_NOTHING } else { LONG };
        let seen = match (used > long, is_exact, self.seen()) {
            (true, true, _) => Seen::Computation(Instant::now()),
            (true, false, Seen::Nothing) => Seen::Delay,
            (false, true, Seen::Delay) => Seen::Nothing,
            (_, _, seen) => seen,
        };
        self.seen.set(seen);
    }

    /// A guest has had this thread for so long.
    pub(super) fn spend(self: &Rc<Self>, time: Duration) {
        if !self.has_neighbours || time < CHEAP {
            return;
        }
        let before = self.spent.replace(self.spent.get() + time);
        if before.is_zero() {
            let conduct = self.clone();
            tokio::task::spawn_local(async move {
                // All others that are ready have had their turn after that.
                yield_now().await;
                conduct.spent.set(Duration::ZERO);
            });
        }
    }

    /// The guest that works on `request` is in the background until this is dropped.
    pub(super) fn absence(self: &Rc<Self>, request: Arc<RequestInfo>) -> Absence {
        self.away.set(self.away.get() + 1);
        Absence {
            conduct: self.clone(),
            request,
            failed: false,
        }
    }
}

/// That a guest is in the background, where it is measured exactly.
pub(super) struct Absence {
    conduct: Rc<Conduct>,
    request: Arc<RequestInfo>,
    failed: bool,
}

impl Absence {
    /// The guest has failed.
    pub(super) fn fail(&mut self) {
        self.failed = true;
    }
}

impl Drop for Absence {
    fn drop(&mut self) {
        let conduct = &self.conduct;
        conduct.away.set(conduct.away.get() - 1);
        conduct.note(self.request.meter().counted(), true, self.failed);
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
    fn a_function_that_had_the_thread_for_long_gives_way_until_the_others_had_their_turn() {
        let runtime = Builder::new_current_thread().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let (alone, one) = (Conduct::new(false), Conduct::new(true));
            for conduct in [&alone, &one] {
                assert!(!conduct.gives_way(false));
                conduct.spend(LONGER);
                conduct.spend(LONGER);
            }
            assert!(one.gives_way(false) && !alone.gives_way(false));
            while one.gives_way(false) {
                yield_now().await;
            }
            for _ in 0..1000 {
                one.spend(SHORT);
            }
            assert!(!one.gives_way(false));
        });
    }

    #[test]
    fn only_a_function_with_neighbours_gives_way() {
        for has_neighbours in [true, false] {
            let conduct = Conduct::new(has_neighbours);
            assert!(!conduct.gives_way(false));
            assert_eq!(conduct.gives_way(true), has_neighbours);
            conduct.note(LONGER, true, false);
            assert_eq!(conduct.gives_way(false), has_neighbours);
        }
    }

    #[test]
    fn what_may_be_a_delay_is_looked_at_again() {
        let conduct = Conduct::new(true);
        conduct.note(SHORT, false, false);
        assert!(!conduct.is_suspect());
        conduct.note(LONGER, false, false);
        assert!(conduct.is_suspect() && !conduct.gives_way(false));
        conduct.note(SHORT, true, false);
        assert!(!conduct.is_suspect() && !conduct.gives_way(false));
        conduct.note(LONGER, false, false);
        conduct.note(LONGER, true, false);
        assert!(!conduct.is_suspect() && conduct.gives_way(false));
        // A short one in between says nothing of the next.
        conduct.note(SHORT, true, false);
        assert!(conduct.gives_way(false));
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let conduct = Conduct::new(true);
        let long_ago = Instant::now().checked_sub(LATELY).unwrap();
        conduct.seen.set(Seen::Computation(long_ago));
        assert!(!conduct.gives_way(false));
        conduct.note(LONGER, false, false);
        assert!(conduct.is_suspect());
    }

    #[test]
    fn a_guest_that_fails_may_compute_less() {
        let conduct = Conduct::new(true);
        let less = LONG_FOR_NOTHING * 2;
        conduct.note(less, true, false);
        assert!(!conduct.gives_way(false));
        conduct.note(less, true, true);
        assert!(conduct.gives_way(false));
        // In the background it is the same.
        let conduct = Conduct::new(true);
        let request = RequestInfo::new(&http::Request::new(()), None, None);
        request.meter().be_exact();
        request.meter().begin_turn();
        let begin = Instant::now();
        while begin.elapsed() < less {}
        request.meter().end_turn();
        let mut absence = conduct.absence(Arc::new(request));
        absence.fail();
        drop(absence);
        assert!(conduct.gives_way(false));
    }

    #[test]
    fn while_one_is_away_the_others_follow_it() {
        let conduct = Conduct::new(true);
        let request = RequestInfo::new(&http::Request::new(()), None, None);
        let absence = conduct.absence(Arc::new(request));
        assert!(conduct.gives_way(false));
        drop(absence);
        assert!(!conduct.gives_way(false));
    }
}
