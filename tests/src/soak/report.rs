//! What was seen, and what of it must not be.

use std::fmt;
use std::time::Duration;

use super::clients::Tally;
use super::watch::{Sample, Watched};

/// How much the memory may grow after warming up, by the line through it: this share
/// of what it is on the average, and so many MiB, below which nothing is told from
/// chance.
const MEMORY_SHARE: f64 = 0.05;
const MEMORY_MIB: f64 = 2.0;

/// How many file descriptors more there may be, by the line: their number goes up and
/// down with the connections.
const DESCRIPTORS: f64 = 8.0;

/// What was seen.
#[derive(Debug)]
pub struct Report {
    /// Requests that the server answered in a second when all clients sent as fast as
    /// they could.
    pub capacity_per_second: f64,
    /// Requests that were due in a second.
    pub offered_per_second: f64,
    /// How long.
    pub duration: Duration,
    /// The server, second by second.
    pub watched: Watched,
    /// File descriptors without any client, before and after the load.
    pub descriptors_before: u32,
    /// The same after it.
    pub descriptors_after: u32,
    /// Entries that must be in the audit log.
    pub audited_at_least: u64,
    /// Requests that may have left an entry, though nobody waited for the answer.
    pub left_at_most: u64,
    /// Entries that are in it.
    pub records: u64,
    /// What must not be.
    pub violations: Vec<String>,
    pub(super) tally: Tally,
}

impl Report {
    /// Looks at all figures, and adds to the violations.
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
                "the memory grew by {growth:.1} MiB, and may grow by {bound:.1} MiB"
            ));
        }
        let growth = self.watched.growth(descriptors);
        if growth > DESCRIPTORS {
            found.push(format!(
                "the file descriptors grew by {growth:.1}, and may grow by {DESCRIPTORS}"
            ));
        }
        let (before, after) = (self.descriptors_before, self.descriptors_after);
        if after > before {
            found.push(format!(
                "{after} file descriptors were open when all clients had gone, and {before} before"
            ));
        }
        let (least, records) = (self.audited_at_least, self.records);
        if !(least..=least + self.left_at_most).contains(&records) {
            found.push(format!(
                "{records} entries are in the audit log, and {least} answers, and {} whose \
                 clients did not wait for them",
                self.left_at_most
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

/// The time that so many of a thousand requests do not exceed, in milliseconds.
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
            "capacity {:.0} requests/s; {:.0} of them were due for {} s, and {:.0} were answered",
            self.capacity_per_second,
            self.offered_per_second,
            self.duration.as_secs(),
            self.tally.paced_per_second(self.duration),
        )?;
        writeln!(
            f,
            "{} answers as they must be, {} errors; {} clients left; p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, from when they were due",
            self.tally.answered,
            self.tally.errors,
            self.tally.left,
            per_mille(&times, 500),
            per_mille(&times, 990),
            per_mille(&times, 999),
        )?;
        writeln!(
            f,
            "memory {:.1} MiB on the average, growth {:+.1} MiB (at most {:.1}); file descriptors \
             {:.0}, growth {:+.1} (at most {DESCRIPTORS}); {} without clients before, {} after",
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
            self.records, self.audited_at_least
        )
    }
}
