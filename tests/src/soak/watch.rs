//! The memory and the file descriptors of the server.

use std::fs;
use std::time::Duration;

/// What the server has at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// How long after the beginning.
    pub since: Duration,
    /// Its resident memory, in MiB.
    pub resident_mib: f64,
    /// How many file descriptors are open.
    pub descriptors: u32,
}

/// All samples, one a second.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// In their order.
    pub samples: Vec<Sample>,
}

/// What part of the time counts as warming up: caches fill, pools grow.
const WARM_UP: f64 = 0.2;

impl Sample {
    /// Looks at the process `pid` now.
    ///
    /// # Errors
    ///
    /// Fails if it does not run, or this system has no `/proc`.
    pub fn take(pid: u32, since: Duration) -> Result<Self, String> {
        let path = format!("/proc/{pid}/status");
        let fail = |error| format!("cannot read `/proc/{pid}`: {error}");
        let status = fs::read_to_string(path).map_err(fail)?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|value| value.trim().strip_suffix("kB"))
            .and_then(|value| value.trim().parse::<u32>().ok());
        let kib = kib.ok_or_else(|| format!("process {pid} has no memory"))?;
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).map_err(fail)?;
        Ok(Self {
            since,
            resident_mib: f64::from(kib) / 1024.0,
            descriptors: u32::try_from(entries.count()).unwrap_or(u32::MAX),
        })
    }
}

impl Watched {
    /// The samples after warming up.
    #[must_use]
    pub fn steady(&self) -> &[Sample] {
        let Some(last) = self.samples.last() else {
            return &[];
        };
        let begin = last.since.mul_f64(WARM_UP);
        let first = self.samples.partition_point(|sample| sample.since < begin);
        &self.samples[first..]
    }

    /// How much a figure grew after warming up, by the line through it.
    #[must_use]
    pub fn growth(&self, figure: fn(&Sample) -> f64) -> f64 {
        let steady = self.steady();
        let points: Vec<(f64, f64)> = steady
            .iter()
            .map(|sample| (sample.since.as_secs_f64(), figure(sample)))
            .collect();
        growth(&points)
    }

    /// What a figure was on the average after warming up.
    #[must_use]
    pub fn mean(&self, figure: fn(&Sample) -> f64) -> f64 {
        mean(self.steady().iter().map(figure))
    }
}

/// How much the second of each pair grows from the first pair to the last, by the
/// line through them with the least squares. Nothing grows with fewer than two.
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
