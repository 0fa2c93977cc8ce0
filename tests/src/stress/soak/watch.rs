//! Memory and file descriptors of the server.

use std::fs;
use std::time::Duration;

use crate::process::memory_bytes;

/// Resources of the server at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Time from the start of the load.
    pub since: Duration,
    /// Resident memory, in MiB.
    pub resident_mib: f64,
    /// Open file descriptors.
    pub descriptors: u32,
}

/// All samples, one per second.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// In order of time.
    pub samples: Vec<Sample>,
}

/// Share of the time that counts as warm-up, in which caches fill and pools grow.
const WARM_UP: f64 = 0.2;

impl Sample {
    /// Samples the process `pid`.
    ///
    /// # Errors
    ///
    /// Fails if it does not run, or this system has no `/proc`.
    pub fn take(pid: u32, since: Duration) -> Result<Self, String> {
        let bytes = memory_bytes(pid, "VmRSS");
        let bytes = bytes.ok_or_else(|| format!("process {pid} has no memory"))?;
        let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
        let path = format!("/proc/{pid}/fd");
        let entries = fs::read_dir(&path).map_err(|error| format!("`{path}`: {error}"))?;
        Ok(Self {
            since,
            resident_mib: f64::from(kib) / 1024.0,
            descriptors: u32::try_from(entries.count()).unwrap_or(u32::MAX),
        })
    }
}

impl Watched {
    /// The samples after the warm-up.
    #[must_use]
    pub fn steady(&self) -> &[Sample] {
        let Some(last) = self.samples.last() else {
            return &[];
        };
        let begin = last.since.mul_f64(WARM_UP);
        let first = self.samples.partition_point(|sample| sample.since < begin);
        &self.samples[first..]
    }

    /// Growth of a figure after the warm-up, by linear regression.
    #[must_use]
    pub fn growth(&self, figure: fn(&Sample) -> f64) -> f64 {
        let steady = self.steady();
        let points: Vec<(f64, f64)> = steady
            .iter()
            .map(|sample| (sample.since.as_secs_f64(), figure(sample)))
            .collect();
        growth(&points)
    }

    /// Mean of a figure after the warm-up.
    #[must_use]
    pub fn mean(&self, figure: fn(&Sample) -> f64) -> f64 {
        mean(self.steady().iter().map(figure))
    }
}

/// Growth of the second of each pair from the first pair to the last, by linear regression; 0 for
/// fewer than two pairs.
#[must_use]
pub fn growth(points: &[(f64, f64)]) -> f64 {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return 0.0;
    };
    let x = mean(points.iter().map(|point| point.0));
    let y = mean(points.iter().map(|point| point.1));
    let over: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let under: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    if under > 0.0 {
        over / under * (last.0 - first.0)
    } else {
        0.0
    }
}

fn mean(figures: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0_u32);
    for figure in figures {
        sum += figure;
        count += 1;
    }
    sum / f64::from(count.max(1))
}
