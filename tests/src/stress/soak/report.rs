//! The figures of a run, and its violations.

use std::fmt;
use std::time::Duration;

use super::clients::Tally;
use super::watch::{Sample, Watched};

/// Allowed growth of the memory after the warm-up: this share of its mean, and this number of MiB,
/// below which growth cannot be told from noise.
const MEMORY_SHARE: f64 = 0.05;
const MEMORY_MIB: f64 = 2.0;

/// Allowed growth of the file descriptors, whose number varies with the connections.
const DESCRIPTORS: f64 = 8.0;

/// The figures of a run.
#[derive(Debug)]
pub struct Report {
    /// Requests per second when all clients sent as fast as they could.
    pub capacity_per_second: f64,
    /// Requests per second that were due.
    pub offered_per_second: f64,
    /// Duration of the load.
    pub duration: Duration,
    /// Resources of the server, second by second.
    pub watched: Watched,
    /// File descriptors without any client, before the load.
    pub descriptors_before: u32,
    /// The same after the load.
    pub descriptors_after: u32,
    /// Minimum number of entries in the audit log.
    pub audited: u64,
    /// Number of further entries that are possible, of requests without a waiting client.
    pub abandoned: u64,
    /// Entries in the audit log.
    pub records: u64,
    /// Violations.
    pub violations: Vec<String>,
    pub(super) tally: Tally,
}

impl Report {
    /// Adds the violations that the figures show.
    pub(super) fn judge(&mut self) {
        let mut found = Vec::new();
        let Tally {
            errors,
            first_errors,
            ..
        } = &self.tally;
        if *errors > 0 {
            found.push(format!("{errors} errors, the first of them:"));
            found.extend(first_errors.iter().cloned());
        }
        let (growth, bound) = (self.watched.growth(memory), self.memory_bound());
        if growth > bound {
            found.push(format!(
                "memory grew by {growth:.1} MiB, allowed are {bound:.1} MiB"
            ));
        }
        let growth = self.watched.growth(descriptors);
        if growth > DESCRIPTORS {
            found.push(format!(
                "file descriptors grew by {growth:.1}, allowed are {DESCRIPTORS}"
            ));
        }
        let (before, after) = (self.descriptors_before, self.descriptors_after);
        if after > before {
            found.push(format!(
                "{after} file descriptors without any client after the load, {before} before"
            ));
        }
        let (audited, abandoned, records) = (self.audited, self.abandoned, self.records);
        if !(audited..=audited + abandoned).contains(&records) {
            found.push(format!(
                "{records} entries in the audit log, for {audited} answers and {abandoned} \
                 requests without a waiting client"
            ));
        }
        self.violations.extend(found);
    }

    fn memory_bound(&self) -> f64 {
        self.watched.mean(memory) * MEMORY_SHARE + MEMORY_MIB
    }
}

fn memory(sample: &Sample) -> f64 {
    sample.resident_mib
}

fn descriptors(sample: &Sample) -> f64 {
    f64::from(sample.descriptors)
}

/// A quantile in thousandths, in milliseconds.
fn per_mille(times_us: &[u32], share: usize) -> f64 {
    let index = (times_us.len() * share).div_ceil(1000).saturating_sub(1);
    times_us.get(index).map_or(0.0, |&us| f64::from(us) / 1e3)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut times = self.tally.times_us.clone();
        times.sort_unstable();
        writeln!(
            f,
            "capacity {:.0} requests/s; {:.0} requests/s were due for {} s, {:.0} requests/s answered",
            self.capacity_per_second,
            self.offered_per_second,
            self.duration.as_secs(),
            self.tally.paced_per_second(self.duration),
        )?;
        writeln!(
            f,
            "{} expected answers, {} errors, {} abandoned; from when they were due: p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms",
            self.tally.answered,
            self.tally.errors,
            self.tally.abandoned,
            per_mille(&times, 500),
            per_mille(&times, 990),
            per_mille(&times, 999),
        )?;
        writeln!(
            f,
            "memory {:.1} MiB (mean), growth {:+.1} MiB (allowed {:.1}); file descriptors \
             {:.0} (mean), growth {:+.1} (allowed {DESCRIPTORS}); {} without clients before, {} after",
            self.watched.mean(memory),
            self.watched.growth(memory),
            self.memory_bound(),
            self.watched.mean(descriptors),
            self.watched.growth(descriptors),
            self.descriptors_before,
            self.descriptors_after,
        )?;
        write!(
            f,
            "{} entries in the audit log, for {} answers",
            self.records, self.audited
        )
    }
}
