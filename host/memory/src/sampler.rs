//! The thread that measures the memory of the process.

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use std::{io, thread};

use super::{INSTANCE_BYTES, MemoryLimit};

/// Interval of the measurements.
const MEASURE_INTERVAL: Duration = Duration::from_millis(100);

/// Number of consecutive measurements below the size of one instance after which requests are
/// rejected at once. Before, they wait.
pub(super) const EXCEEDED_MEASUREMENTS: u32 = 10;

/// Minimum interval of the log lines about rejections.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Measures the memory of the process, and logs rejections.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    exceeded_measurements: u32,
    /// Time of the last log line, and the rejections until then.
    reported: Option<Instant>,
    requests: u64,
    growths: u64,
}

impl Sampler {
    /// Starts the thread of the sampler, which ends when `limit` is dropped.
    pub(super) fn start(self, limit: Weak<MemoryLimit>) -> io::Result<()> {
        let builder = thread::Builder::new().name("memory".to_owned());
        builder.spawn(move || self.run(&limit)).map(drop)
    }

    fn run(mut self, limit: &Weak<MemoryLimit>) {
        loop {
            thread::sleep(MEASURE_INTERVAL);
            let Some(limit) = limit.upgrade() else { return };
            self.measure(&limit);
            self.report(&limit);
        }
    }

    /// Measures once, wakes waiting requests, and decides whether the limit is exceeded.
    pub(super) fn measure(&mut self, limit: &MemoryLimit) {
        limit.measure(&mut limit.gauges.lock().expect("no thread panics with the lock"));
        self.exceeded_measurements = if limit.guest_limit_bytes() < INSTANCE_BYTES {
            self.exceeded_measurements.saturating_add(1)
        } else {
            0
        };
        let was_exceeded = limit.is_exceeded();
        let is_exceeded = self.exceeded_measurements >= EXCEEDED_MEASUREMENTS
            || (was_exceeded && self.exceeded_measurements > 0);
        limit.is_exceeded.store(is_exceeded, Ordering::Relaxed);
        if limit.is_contended() {
            limit.waiting.freed.notify_waiters();
        }
    }

    /// Logs the rejections since the last log line, at most once in [`REPORT_INTERVAL`].
    fn report(&mut self, limit: &MemoryLimit) {
        let requests = limit.rejected_requests() - self.requests;
        let growths = limit.denied_growths() - self.growths;
        let is_recent = self
            .reported
            .is_some_and(|reported| reported.elapsed() < REPORT_INTERVAL);
        if requests + growths == 0 || is_recent {
            return;
        }
        self.reported = Some(Instant::now());
        (self.requests, self.growths) = (limit.rejected_requests(), limit.denied_growths());
        tracing::warn!(
            requests,
            growths,
            limit = limit.limit_bytes,
            used = limit.used_bytes(),
            guests = limit.held_bytes(),
            for_guests = limit.guest_limit_bytes(),
            "memory limit exceeded: requests were rejected, or growths of guest memory denied; allow \
             more with `--max-total-memory`"
        );
    }
}
