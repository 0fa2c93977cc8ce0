//! CPU time of the guest of one request.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Measures the time that a guest runs, without the time that it waits.
#[derive(Debug, Default)]
pub struct CpuClock {
    /// The sum of the completed slices.
    completed_ns: AtomicU64,
    /// The start of the current slice, or 0.
    slice_start_ns: AtomicU64,
    uses_thread_time: AtomicBool,
}

impl CpuClock {
    /// Starts a slice: the guest runs from now on.
    pub fn begin_slice(&self) {
        self.slice_start_ns.store(self.now(), Ordering::Relaxed);
    }

    /// Ends the slice: the guest waits or yields.
    pub fn end_slice(&self) {
        let used = self.used();
        self.slice_start_ns.store(0, Ordering::Relaxed);
        let nanos = u64::try_from(used.as_nanos()).unwrap_or(u64::MAX);
        self.completed_ns.store(nanos, Ordering::Relaxed);
    }

    /// Resets the clock between two slices, and measures the CPU time of the thread from now on.
    /// Wall-clock time, which it measured before, includes the time that the thread was
    /// preempted.
    pub fn use_thread_time(&self) {
        self.uses_thread_time.store(true, Ordering::Relaxed);
        self.completed_ns.store(0, Ordering::Relaxed);
    }

    /// Whether [`CpuClock::use_thread_time`] was called.
    pub fn uses_thread_time(&self) -> bool {
        self.uses_thread_time.load(Ordering::Relaxed)
    }

    /// The time of the completed slices.
    pub fn completed(&self) -> Duration {
        Duration::from_nanos(self.completed_ns.load(Ordering::Relaxed))
    }

    /// The time of all slices, with the current one. Call it on the thread that runs the guest.
    pub fn used(&self) -> Duration {
        let current = match self.slice_start_ns.load(Ordering::Relaxed) {
            0 => 0,
            start => self.now().saturating_sub(start),
        };
        Duration::from_nanos(self.completed_ns.load(Ordering::Relaxed) + current)
    }

    /// The time of the clock in use. The monotonic clock is the first, because it needs no system
    /// call.
    fn now(&self) -> u64 {
        let clock = if self.uses_thread_time() {
            ClockId::ThreadCPUTime
        } else {
            ClockId::Monotonic
        };
        let now = clock_gettime(clock);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let nanos = u64::try_from(now.tv_nsec).unwrap_or_default();
        // Never 0, which means that no slice is running.
        (seconds * 1_000_000_000 + nanos).max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn spin(time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn slices_add_up_and_time_between_them_does_not_count() {
        let cpu_clock = CpuClock::default();
        for uses_thread_time in [false, true] {
            if uses_thread_time {
                cpu_clock.use_thread_time();
                assert_eq!(cpu_clock.used(), Duration::ZERO);
            }
            cpu_clock.begin_slice();
            spin(Duration::from_millis(5));
            cpu_clock.end_slice();
            let before = cpu_clock.used();
            spin(Duration::from_millis(5));
            assert_eq!(cpu_clock.used(), before);
        }
        assert!(
            cpu_clock.used() >= Duration::from_millis(1),
            "{cpu_clock:?}"
        );
    }

    #[test]
    fn time_that_the_thread_sleeps_counts_unless_thread_time_is_used() {
        const PAUSE: Duration = Duration::from_millis(20);

        for uses_thread_time in [false, true] {
            let cpu_clock = CpuClock::default();
            if uses_thread_time {
                cpu_clock.use_thread_time();
            }
            cpu_clock.begin_slice();
            std::thread::sleep(PAUSE);
            cpu_clock.end_slice();
            assert_eq!(cpu_clock.used() < PAUSE, uses_thread_time, "{cpu_clock:?}");
        }
    }

    #[test]
    fn used_includes_the_current_slice() {
        let cpu_clock = CpuClock::default();
        cpu_clock.begin_slice();
        spin(Duration::from_millis(2));
        assert!(cpu_clock.used() >= Duration::from_millis(2));
    }
}
