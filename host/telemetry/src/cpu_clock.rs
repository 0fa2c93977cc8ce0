//! How long a guest has computed for a request.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Counts the time in which a guest runs, and not that in which it waits.
#[derive(Debug, Default)]
pub struct CpuClock {
    /// Of the turns that are over.
    completed_ns: AtomicU64,
    /// When the present turn began, or 0.
    slice_start_ns: AtomicU64,
    uses_thread_time: AtomicBool,
}

impl CpuClock {
    /// The guest gets its turn.
    pub fn begin_slice(&self) {
        self.slice_start_ns.store(self.now(), Ordering::Relaxed);
    }

    /// The guest waits, or gives way.
    pub fn end_slice(&self) {
        let used = self.used();
        self.slice_start_ns.store(0, Ordering::Relaxed);
        let nanos = u64::try_from(used.as_nanos()).unwrap_or(u64::MAX);
        self.completed_ns.store(nanos, Ordering::Relaxed);
    }

    /// Counts anew, between two turns, and from now on only the time in which a processor
    /// worked for the guest. What was counted before may include time in which the system
    /// had something else to do.
    pub fn use_thread_time(&self) {
        self.uses_thread_time.store(true, Ordering::Relaxed);
        self.completed_ns.store(0, Ordering::Relaxed);
    }

    /// Whether [`CpuClock::use_thread_time`] was called.
    pub fn uses_thread_time(&self) -> bool {
        self.uses_thread_time.load(Ordering::Relaxed)
    }

    /// How long it has computed in the turns that are over.
    pub fn completed(&self) -> Duration {
        Duration::from_nanos(self.completed_ns.load(Ordering::Relaxed))
    }

    /// How long it has computed, asked on the thread that it runs on.
    pub fn used(&self) -> Duration {
        let turn = match self.slice_start_ns.load(Ordering::Relaxed) {
            0 => 0,
            began => self.now().saturating_sub(began),
        };
        Duration::from_nanos(self.completed_ns.load(Ordering::Relaxed) + turn)
    }

    /// The time of day costs no system call, which is why it is what counts at first.
    fn now(&self) -> u64 {
        let clock = if self.uses_thread_time() {
            ClockId::ThreadCPUTime
        } else {
            ClockId::Monotonic
        };
        let now = clock_gettime(clock);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let nanos = u64::try_from(now.tv_nsec).unwrap_or_default();
        // Never 0, which says that there is no turn.
        (seconds * 1_000_000_000 + nanos).max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn compute(time: Duration) {
        let begin = Instant::now();
        while begin.elapsed() < time {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn turns_add_up_and_waiting_does_not_count() {
        let cpu_clock = CpuClock::default();
        for is_exact in [false, true] {
            if is_exact {
                cpu_clock.use_thread_time();
                assert_eq!(cpu_clock.used(), Duration::ZERO);
            }
            cpu_clock.begin_slice();
            compute(Duration::from_millis(5));
            cpu_clock.end_slice();
            let before = cpu_clock.used();
            compute(Duration::from_millis(5));
            assert_eq!(cpu_clock.used(), before);
        }
        assert!(
            cpu_clock.used() >= Duration::from_millis(1),
            "{cpu_clock:?}"
        );
    }

    #[test]
    fn time_in_which_the_thread_does_not_run_counts_only_where_nobody_is_exact() {
        const PAUSE: Duration = Duration::from_millis(20);

        for is_exact in [false, true] {
            let cpu_clock = CpuClock::default();
            if is_exact {
                cpu_clock.use_thread_time();
            }
            cpu_clock.begin_slice();
            std::thread::sleep(PAUSE);
            cpu_clock.end_slice();
            assert_eq!(cpu_clock.used() < PAUSE, is_exact, "{cpu_clock:?}");
        }
    }

    #[test]
    fn a_turn_that_is_not_over_counts() {
        let cpu_clock = CpuClock::default();
        cpu_clock.begin_slice();
        compute(Duration::from_millis(2));
        assert!(cpu_clock.used() >= Duration::from_millis(2));
    }
}
