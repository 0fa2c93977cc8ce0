//! Numbers about one component.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use audit_log::record::Component;
use http::Method;
use serde::Serialize;

use super::FailureKind;
use super::histogram::{DurationHistogram, HistogramSnapshot};
use super::labels::{CODE_COUNT, METHOD_COUNT, code_index, code_label, method_index, method_label};
use super::pool::PoolGauge;
use super::sharded::Sharded;
use crate::log_ring::LogRing;

/// Numbers about one component and those that took its place, since the start of the
/// server.
pub struct FunctionMetrics {
    name: Box<str>,
    active: Mutex<Active>,
    /// What it printed last, which goes on like its numbers.
    log_ring: LogRing,
    has_logged_not_reused: AtomicBool,
    shards: Sharded<Shard>,
}

/// The version that gets requests.
#[derive(Clone)]
pub(super) struct Active {
    /// The SHA-256 of its bytes.
    pub(super) sha256: String,
    /// How many instances it may have at once.
    pub(super) max_instances: u32,
    /// The pools that its instances are made in, if those are its own.
    pub(super) pools: Arc<[PoolGauge]>,
}

/// What one thread has counted.
struct Shard {
    in_flight: AtomicI64,
    queued: AtomicI64,
    durations: DurationHistogram,
    failures: [AtomicU64; FailureKind::ALL.len()],
    not_reused: AtomicU64,
    /// By the numbers of method and code.
    requests: [[AtomicU64; CODE_COUNT]; METHOD_COUNT],
}

/// A request, which is counted as waiting until this is dropped.
#[must_use]
pub struct Queued(Arc<FunctionMetrics>);

/// How many requests of one method had answers with one code.
#[derive(Debug, Serialize)]
pub(super) struct ResponseCount {
    pub(super) method: &'static str,
    pub(super) code: String,
    pub(super) count: u64,
}

/// The numbers about a component at one moment.
#[derive(Debug, Serialize)]
pub struct Stats {
    /// The requests that are over, by method and code.
    requests: Vec<ResponseCount>,
    /// How its guests failed, and how often.
    failures: BTreeMap<&'static str, u64>,
    in_flight: u64,
    queued: u64,
    max_instances: u32,
    /// How many requests are over.
    count: u64,
    /// How long all of them took together.
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
    /// About `component`, which may have so many instances at once.
    #[must_use]
    pub fn new(component: &Component<'_>, max_instances: u32) -> Self {
        Self {
            name: component.name.as_ref().into(),
            active: Mutex::new(Active {
                sha256: component.sha256.clone().into_owned(),
                max_instances,
                pools: Arc::default(),
            }),
            log_ring: LogRing::default(),
            has_logged_not_reused: AtomicBool::new(false),
            shards: Sharded::new(),
        }
    }

    /// What it printed last.
    pub fn log_ring(&self) -> &LogRing {
        &self.log_ring
    }

    /// The name of the component.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What gets the requests now.
    pub(super) fn active(&self) -> Active {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Active> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, requests go to this version of the component.
    pub fn activate(&self, component: &Component<'_>, max_instances: u32) {
        let mut active = self.lock();
        active.sha256 = component.sha256.clone().into_owned();
        active.max_instances = max_instances;
    }

    /// Tells also what is in use of the pools that the component has for itself.
    pub fn set_pools(&self, pools: Vec<PoolGauge>) {
        self.lock().pools = pools.into();
    }

    /// Counts a request that has begun, and is not over until it is [finished](Self::finished).
    pub fn request_started(&self) {
        let shard = self.shards.local();
        shard.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that waits for an instance.
    pub fn request_queued(self: &Arc<Self>) -> Queued {
        let shard = self.shards.local();
        shard.queued.fetch_add(1, Ordering::Relaxed);
        Queued(self.clone())
    }

    /// Counts a failure of the guest.
    pub fn record_failure(&self, kind: FailureKind) {
        self.shards.local().failures[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an instance that serves no further request, because the guest holds on to the last
    /// one. Returns whether it is the first.
    pub fn record_not_reused(&self) -> bool {
        self.shards
            .local()
            .not_reused
            .fetch_add(1, Ordering::Relaxed);
        !self.has_logged_not_reused.swap(true, Ordering::Relaxed)
    }

    /// Counts a request that is over: how it was answered, and how long that took from
    /// the end of its head to the last byte of the response.
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

    /// The requests that are over, but for what never happened.
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
    /// All numbers, as they are now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let durations = self.durations();
        let failures = FailureKind::ALL.map(|kind| (kind.label(), self.failures(kind)));
        Stats {
            requests: self.response_counts(),
            failures: failures.into(),
            in_flight: self.in_flight_now(),
            queued: self.queued_now(),
            max_instances: self.active().max_instances,
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
        let component = Component {
            name: "app".into(),
            sha256: "00ff".into(),
        };
        Arc::new(FunctionMetrics::new(&component, 1))
    }

    #[test]
    fn a_request_is_there_until_it_is_over_wherever_that_is() {
        let metrics = metrics();
        metrics.request_started();
        metrics.request_started();
        let queued = metrics.request_queued();
        assert_eq!((metrics.in_flight_now(), metrics.queued_now()), (2, 1));
        let there = metrics.clone();
        let elsewhere = move || {
            drop(queued);
            there.request_finished(&Method::GET, 200, Duration::ZERO);
        };
        thread::spawn(elsewhere).join().unwrap();
        assert_eq!((metrics.in_flight_now(), metrics.queued_now()), (1, 0));
        metrics.request_finished(&Method::GET, 200, Duration::ZERO);
        assert_eq!(metrics.in_flight_now(), 0);
    }

    #[test]
    fn answers_are_counted_by_method_and_code() {
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
