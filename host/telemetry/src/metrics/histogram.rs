//! Histograms of durations.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::sharded::Sharded;

/// The upper bounds of the buckets, in microseconds. Longer durations are in a last bucket without
/// a bound.
const BOUNDS_MICROS: [u32; 18] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// The histogram of one shard.
#[derive(Default)]
pub(super) struct DurationHistogram {
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    sum_nanos: AtomicU64,
}

/// The sum of the histograms of all shards, for export.
pub(super) struct HistogramSnapshot {
    pub(super) sum_seconds: f64,
    pub(super) count: u64,
    /// The upper bound of each bucket in seconds, and its count without the buckets before it.
    pub(super) buckets: Vec<(f64, u64)>,
}

impl DurationHistogram {
    pub(super) fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.partition_point(|&bound| u64::from(bound) * 1000 < nanos);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl HistogramSnapshot {
    pub(super) fn of<T>(shards: &Sharded<T>, durations: impl Fn(&T) -> &DurationHistogram) -> Self {
        let bounds = BOUNDS_MICROS.iter().map(|&bound| f64::from(bound) / 1e6);
        // The encoder writes `f64::MAX` as `+Inf`.
        let buckets: Vec<_> = bounds
            .chain([f64::MAX])
            .enumerate()
            .map(|(index, bound)| (bound, shards.sum(|shard| &durations(shard).buckets[index])))
            .collect();
        let sum = shards.sum(|shard| &durations(shard).sum_nanos);
        Self {
            sum_seconds: Duration::from_nanos(sum).as_secs_f64(),
            count: buckets.iter().map(|(_, count)| count).sum(),
            buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_with_a_bound_not_below_it() {
        let shards = Sharded::<DurationHistogram>::new();
        for micros in [0, 100, 101, 60_000_000, 60_000_001] {
            shards.local().observe(Duration::from_micros(micros));
        }
        let histogram = HistogramSnapshot::of(&shards, |durations| durations);
        let counts: Vec<_> = histogram.buckets.iter().map(|bucket| bucket.1).collect();
        let mut expected = [0; 19];
        expected[0] = 2;
        expected[1] = 1;
        expected[17] = 1;
        expected[18] = 1;
        assert_eq!(counts, expected);
        assert_eq!(histogram.count, 5);
        assert!((histogram.sum_seconds - 120.000_202).abs() < 1e-9);
    }
}
