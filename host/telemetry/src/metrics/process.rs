//! Process metrics under the standard names of Prometheus clients.
//!
//! The crate `procfs` is not used: it builds for Linux only, and all that it would replace is the
//! number of entries of a folder.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, fs};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::series::Writer;

/// Collector of process metrics. Metrics that the system does not provide are omitted.
#[derive(Debug)]
pub(super) struct ProcessCollector {
    /// The start time since the Unix epoch.
    start: Duration,
}

impl ProcessCollector {
    /// Creates the collector, with the current time as the start time.
    pub(super) fn new() -> Self {
        let start = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            start: start.unwrap_or_default(),
        }
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer { encoder };
        writer.gauge_with_unit(
            "process_start_time",
            "Start time of the process since the Unix epoch in seconds.",
            &Unit::Seconds,
            self.start.as_secs_f64(),
        )?;
        if let Some(bytes) = memory_limit::resident_bytes() {
            writer.gauge_with_unit(
                "process_resident_memory",
                "Resident memory size in bytes.",
                &Unit::Bytes,
                as_f64(bytes),
            )?;
        }
        writer.seconds_counter(
            "process_cpu",
            "Total user and system CPU time spent in seconds.",
            cpu_time().as_secs_f64(),
        )?;
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is the open folder itself.
            let open = open.count().saturating_sub(1) as u64;
            writer.gauge("process_open_fds", "Number of open file descriptors.", open)?;
        }
        if let Some(max) = getrlimit(Resource::Nofile).current {
            writer.gauge(
                "process_max_fds",
                "Maximum number of open file descriptors.",
                max,
            )?;
        }
        Ok(())
    }
}

/// The number as a float, which is not exact above 2^53 (8 PiB).
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
pub(super) fn as_f64(number: u64) -> f64 {
    number as f64
}

/// The user and system CPU time of all threads of this process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    // It is never negative.
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn cpu_time_increases_while_the_process_computes() {
        let before = cpu_time();
        let start = Instant::now();
        while cpu_time() < before + Duration::from_millis(1) {
            assert!(start.elapsed() < Duration::from_secs(30));
        }
    }
}
