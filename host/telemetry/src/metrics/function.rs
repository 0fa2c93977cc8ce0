//! Metrics of one component.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use serde::Serialize;

use super::FailureKind;
use super::histogram::{DurationHistogram, HistogramSnapshot};
use super::labels::{CODE_COUNT, METHOD_COUNT, code_index, code_label, method_index, method_label};
use super::pool::PoolGauge;
use super::sharded::Sharded;
use crate::log_ring::LogRing;

/// Metrics of one component and its replacements since the start of the server.
pub struct FunctionMetrics {
    name: Box<str>,
    active: Mutex<Active>,
    /// The last log lines, which continue across replacements.
    log_ring: LogRing,
    has_logged_not_reused: AtomicBool,
    shards: Sharded<Shard>,
}

/// The version of a component that gets the requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActiveVersion {
    /// The SHA-256 of its bytes.
    pub sha256: String,
    /// The version of WASI that it is for, such as `0.2`.
    pub wasi: &'static str,
    /// Maximum number of concurrent instances.
    pub max_instances: u32,
}

/// The active version, and what it takes.
#[derive(Clone, Default)]
pub(super) struct Active {
    pub(super) version: ActiveVersion,
    /// The pools of its instances, if it does not use the shared pool.
    pub(super) pools: Arc<[PoolGauge]>,
}

/// The counters of one shard.
struct Shard {
    in_flight: AtomicI64,
    queued: AtomicI64,
    durations: DurationHistogram,
    failures: [AtomicU64; FailureKind::ALL.len()],
    not_reused: AtomicU64,
    /// By method index and status code index.
    requests: [[AtomicU64; CODE_COUNT]; METHOD_COUNT],
}

/// Counts a request as queued until it is dropped.
#[must_use]
pub struct Queued(Arc<FunctionMetrics>);

/// The number of finished requests with one method and one status code.
#[derive(Debug, Serialize)]
pub(super) struct ResponseCount {
    pub(super) method: &'static str,
    pub(super) code: String,
    pub(super) count: u64,
}

/// A snapshot of the metrics of a component, for the admin API.
#[derive(Debug, Serialize)]
pub struct Stats {
    /// The finished requests by method and status code.
    requests: Vec<ResponseCount>,
    /// The guest failures by kind.
    failures: BTreeMap<&'static str, u64>,
    in_flight: u64,
    queued: u64,
    max_instances: u32,
    /// The number of finished requests.
    count: u64,
    /// The sum of their durations.
    sum_seconds: f64,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            in_flight: AtomicI64::default(),
            queued: AtomicI64::default(),
            durations: DurationHistogram::default(),
            failures: Default::default(),
            not_reused: AtomicU64::default(),
            requests: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::default())),
        }
    }
}

impl FunctionMetrics {
    /// Metrics of the component `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            active: Mutex::default(),
            log_ring: LogRing::default(),
            has_logged_not_reused: AtomicBool::new(false),
            shards: Sharded::new(),
        }
    }

    /// The last log lines of the function.
    pub fn log_ring(&self) -> &LogRing {
        &self.log_ring
    }

    /// The name of the component.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The active version.
    pub(super) fn active(&self) -> Active {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Active> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the active version of the component.
    pub fn activate(&self, version: ActiveVersion) {
        self.lock().version = version;
    }

    /// Exports also the use of the component's own pools.
    pub fn set_pools(&self, pools: Vec<PoolGauge>) {
        self.lock().pools = pools.into();
    }

    /// Counts a request as in flight until it is [finished](Self::request_finished).
    pub fn request_started(&self) {
        let shard = self.shards.local();
        shard.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request as queued for an instance.
    pub fn request_queued(self: &Arc<Self>) -> Queued {
        let shard = self.shards.local();
        shard.queued.fetch_add(1, Ordering::Relaxed);
        Queued(self.clone())
    }

    /// Counts a failure of the guest.
    pub fn record_failure(&self, kind: FailureKind) {
        self.shards.local().failures[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an instance that is not reused, because the guest kept a handle of its request or
    /// response. Returns whether it is the first one of the function.
    pub fn record_not_reused(&self) -> bool {
        self.shards
            .local()
            .not_reused
            .fetch_add(1, Ordering::Relaxed);
        !self.has_logged_not_reused.swap(true, Ordering::Relaxed)
    }

    /// Counts a finished request with its status code and its duration, from the end of the head to
    /// the last byte of the response.
    pub fn request_finished(&self, method: &Method, code: u16, duration: Duration) {
        let shard = self.shards.local();
        let requests = &shard.requests[method_index(method)];
        requests[code_index(code)].fetch_add(1, Ordering::Relaxed);
        shard.durations.observe(duration);
        shard.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn in_flight_now(&self) -> u64 {
        self.shards.sum(|shard| &shard.in_flight)
    }

    pub(super) fn queued_now(&self) -> u64 {
        self.shards.sum(|shard| &shard.queued)
    }

    pub(super) fn failures(&self, kind: FailureKind) -> u64 {
        self.shards.sum(|shard| &shard.failures[kind as usize])
    }

    pub(super) fn not_reused_count(&self) -> u64 {
        self.shards.sum(|shard| &shard.not_reused)
    }

    pub(super) fn durations(&self) -> HistogramSnapshot {
        HistogramSnapshot::of(&self.shards, |shard| &shard.durations)
    }

    /// The finished requests by method and status code, without zero counts.
    pub(super) fn response_counts(&self) -> Vec<ResponseCount> {
        let mut all = Vec::new();
        for method in 0..METHOD_COUNT {
            for code in 0..CODE_COUNT {
                let count = self.shards.sum(|shard| &shard.requests[method][code]);
                if count > 0 {
                    all.push(ResponseCount {
                        method: method_label(method),
                        code: code_label(code),
                        count,
                    });
                }
            }
        }
        all
    }
}

impl FunctionMetrics {
    /// A snapshot of all metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let durations = self.durations();
        let failures = FailureKind::ALL.map(|kind| (kind.label(), self.failures(kind)));
        Stats {
            requests: self.response_counts(),
            failures: failures.into(),
            in_flight: self.in_flight_now(),
            queued: self.queued_now(),
            max_instances: self.active().version.max_instances,
            count: durations.count,
            sum_seconds: durations.sum_seconds,
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let shard = self.0.shards.local();
        shard.queued.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for FunctionMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionMetrics")
            .field("name", &self.name)
            .field("in_flight", &self.in_flight_now())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Queued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queued").field(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn metrics() -> Arc<FunctionMetrics> {
        Arc::new(FunctionMetrics::new("app"))
    }

    #[test]
    fn in_flight_and_queued_fall_when_a_request_finishes_on_another_thread() {
        let metrics = metrics();
        metrics.request_started();
        metrics.request_started();
        let queued = metrics.request_queued();
        assert_eq!((metrics.in_flight_now(), metrics.queued_now()), (2, 1));
        let moved = metrics.clone();
        let finish = move || {
            drop(queued);
            moved.request_finished(&Method::GET, 200, Duration::ZERO);
        };
        thread::spawn(finish).join().unwrap();
        assert_eq!((metrics.in_flight_now(), metrics.queued_now()), (1, 0));
        metrics.request_finished(&Method::GET, 200, Duration::ZERO);
        assert_eq!(metrics.in_flight_now(), 0);
    }

    #[test]
    fn responses_are_counted_by_method_and_code() {
        let metrics = metrics();
        for (method, code) in [
            (Method::GET, 200),
            (Method::GET, 200),
            (Method::GET, 404),
            (Method::POST, 200),
        ] {
            metrics.request_finished(&method, code, Duration::ZERO);
        }
        let responses = metrics.response_counts();
        let responses: Vec<_> = responses
            .iter()
            .map(|responses| (responses.method, responses.code.as_str(), responses.count))
            .collect();
        assert_eq!(
            responses,
            [("GET", "200", 2), ("GET", "404", 1), ("POST", "200", 1)]
        );
        assert_eq!(metrics.durations().count, 4);
    }
}
