//! What the system knows of this process, under the names that all programs give it.

use std::fmt;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;
use rustix::process::{Resource, getrlimit};

use super::series::Writer;

/// This process. What its system does not tell is left out.
#[derive(Debug)]
pub(super) struct ProcessCollector {
    /// Since the epoch of Unix.
    start: Duration,
}

impl ProcessCollector {
    /// It has just been started.
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
        writer.measure(
            "process_start_time",
            "When the process was started, since the epoch of Unix.",
            &Unit::Seconds,
            self.start.as_secs_f64(),
        )?;
        if let Some(bytes) = memory_limit::resident_bytes() {
            writer.measure(
                "process_resident_memory",
                "Memory that the process has.",
                &Unit::Bytes,
                as_f64(bytes),
            )?;
        }
        if let Some(seconds) = cpu_seconds() {
            writer.seconds_counter(
                "process_cpu",
                "Time for which processors worked for the process.",
                seconds,
            )?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them reads the folder.
            let open = open.count().saturating_sub(1) as u64;
            writer.gauge("process_open_fds", "Open file descriptors.", open)?;
        }
        if let Some(max) = getrlimit(Resource::Nofile).current {
            writer.gauge("process_max_fds", "File descriptors that may be open.", max)?;
        }
        Ok(())
    }
}

/// The format has no other numbers. Above 8 PiB it is not exact.
#[expect(clippy::cast_precision_loss, reason = "as said above")]
pub(super) fn as_f64(number: u64) -> f64 {
    number as f64
}

/// How long processors worked for this process (proc(5), `stat`).
fn cpu_seconds() -> Option<f64> {
    /// How many units there are in a second, for all programs on Linux.
    const TICKS_PER_SECOND: f64 = 100.0;

    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program is in parentheses, and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(as_f64(user + system) / TICKS_PER_SECOND)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_process_that_computes_uses_processors() {
        let before = cpu_seconds().unwrap();
        let start = Instant::now();
        let mut after = before;
        while after <= before {
            after = cpu_seconds().unwrap();
            assert!(start.elapsed() < Duration::from_secs(30));
        }
    }
}
