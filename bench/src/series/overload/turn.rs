//! One server before, during and after an overload.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::load::crowd::{self, Outcome, Phase, Request};
use crate::load::job::Job;
use crate::load::paced::percentile;
use crate::machine::kernel::{memory, processor_time};
use crate::machine::rest::mib;
use crate::servers::Server;
use crate::servers::running::Running;

/// Number of connections at capacity, each of which sends one request after the other.
pub(super) const CONNECTIONS: usize = 32;

/// Requests of the overload over those that the server can answer.
pub(in crate::series) const TIMES: f64 = 10.0;

/// Time after the overload at which everything must be as before.
pub(super) const RECOVERY: Duration = Duration::from_secs(1);

/// Start of the overload, in which its clients connect.
const ONSET: Duration = Duration::from_secs(1);

/// Processor time of a request.
pub(in crate::series) const COST: Duration = Duration::from_millis(2);

/// Sampling interval of the memory.
const WATCH_INTERVAL: Duration = Duration::from_millis(20);

/// Length of each phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phases {
    pub(super) capacity: Duration,
    pub(super) overload: Duration,
    pub(super) after: Duration,
}

/// The figures of one turn. Times are in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Turn {
    pub(super) capacity_per_second: f64,
    pub(super) capacity_p99: f64,
    /// During the overload.
    pub(super) offered_per_second: f64,
    pub(super) good_per_second: f64,
    pub(super) good_p99: Option<f64>,
    pub(super) refused: usize,
    pub(super) refused_p50: Option<f64>,
    pub(super) refused_p99: Option<f64>,
    pub(super) refused_max: Option<f64>,
    /// Of those that were sent from [`ONSET`] on.
    pub(super) refused_later_p99: Option<f64>,
    /// Refusals without `Retry-After`.
    pub(super) without_retry_after: usize,
    /// Other outcomes than good answers and refusals, in all phases.
    pub(super) failures: BTreeMap<String, u64>,
    /// Requests that were not sent for lack of connections.
    pub(super) unsent: usize,
    /// Delay of requests in the load generator.
    pub(super) late_p99: f64,
    pub(super) peak_connections: usize,
    pub(super) before_mib: f64,
    pub(super) half_way_mib: f64,
    pub(super) peak_mib: f64,
    /// From [`RECOVERY`] after the end on.
    pub(super) after_per_second: f64,
    pub(super) after_p99: Option<f64>,
    /// Time from the end of the overload to its last answer.
    pub(super) backlog: f64,
}

/// A job that takes [`COST`] on this machine, calibrated with a server of its own.
pub(in crate::series) fn calibrate(server: &Server) -> Result<Job> {
    const STEPS: u32 = 500_000;
    let running = Running::start(server)?;
    let job = Job::compute(STEPS.into());
    job.check(running.addr)?;
    let before = processor_time(running.id())?;
    let phase = crowd::closed(running.addr, &job, 1, Duration::from_secs(1))?;
    let used = processor_time(running.id())?.since(&before).total();
    let requests = u32::try_from(phase.requests.len())?;
    ensure!(requests > 0, "no request was answered");
    let steps = f64::from(STEPS) * COST.as_secs_f64() / (used / requests).as_secs_f64();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few millions"
    )]
    let steps = steps as u64;
    Ok(Job::compute(steps))
}

impl Turn {
    pub(super) fn take(server: &Server, job: &Job, phases: Phases) -> Result<Self> {
        let running = Running::start(server)?;
        let addr = running.addr;
        job.check(addr)?;
        crowd::closed(addr, job, CONNECTIONS, Duration::from_secs(1))?;
        let capacity = crowd::closed(addr, job, CONNECTIONS, phases.capacity)?;
        let capacity_per_second = rate(good(&capacity).count(), phases.capacity);
        ensure!(capacity_per_second > 0.0, "no answer at capacity");

        let before_mib = mib(memory(running.id())?.resident_kib);
        let is_over = AtomicBool::new(false);
        let (seen, memory) = thread::scope(|scope| {
            let watching = scope.spawn(|| watch(running.id(), &is_over));
            let seen = crowd::flood(
                addr,
                job,
                capacity_per_second * TIMES,
                phases.overload,
                CONNECTIONS,
                phases.after,
            );
            is_over.store(true, Ordering::Relaxed);
            (seen, watching.join().expect("sampling does not panic"))
        });
        let (flood, after) = seen?;
        let memory = memory?;

        let end = phases.overload;
        let recovered = end + RECOVERY;
        let until = end + phases.after;
        let all = || good(&flood).chain(good(&after));
        let in_time = good(&flood).filter(|request| request.ended <= end).count();
        let late = |request: &Request| request.ended > recovered && request.ended <= until;
        let peak = |samples: &[(Duration, f64)]| samples.iter().map(|s| s.1).fold(0.0, f64::max);
        let half_way = memory.partition_point(|(at, _)| *at <= end / 2);
        let refusals: Vec<&Request> = flood
            .requests
            .iter()
            .filter(|request| is_refused(request))
            .collect();
        let refused = |percent| latency(refusals.iter().copied(), percent);
        let last = flood.requests.iter().map(|request| request.ended).max();
        let mut late_ms: Vec<f64> = flood
            .requests
            .iter()
            .map(|request| ms(request.late))
            .collect();
        Ok(Self {
            capacity_per_second,
            capacity_p99: latency(good(&capacity), 99).context("no answer at capacity")?,
            offered_per_second: rate(
                flood.requests.len() + flood.unanswered + flood.unsent,
                phases.overload,
            ),
            good_per_second: rate(in_time, phases.overload),
            good_p99: latency(good(&flood), 99),
            refused: refusals.len(),
            refused_p50: refused(50),
            refused_p99: refused(99),
            refused_max: refused(100),
            refused_later_p99: latency(
                refusals
                    .iter()
                    .copied()
                    .filter(|request| request.begun > ONSET),
                99,
            ),
            without_retry_after: refusals
                .iter()
                .filter(|request| {
                    request.outcome
                        == Outcome::Refused {
                            has_retry_after: false,
                        }
                })
                .count(),
            failures: failures([&capacity, &flood, &after], recovered),
            unsent: flood.unsent,
            late_p99: percentile(&mut late_ms, 99).unwrap_or_default(),
            peak_connections: flood.peak_open,
            before_mib,
            half_way_mib: peak(&memory[..half_way]),
            peak_mib: peak(&memory),
            after_per_second: rate(
                all().filter(|request| late(request)).count(),
                until.saturating_sub(recovered),
            ),
            after_p99: latency(good(&after).filter(|request| request.begun > recovered), 99),
            backlog: ms(last.unwrap_or_default().saturating_sub(end)),
        })
    }
}

/// Samples of the resident memory of a process, in MiB, with the time since the first.
fn watch(pid: u32, is_over: &AtomicBool) -> Result<Vec<(Duration, f64)>> {
    let begin = Instant::now();
    let mut samples = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        samples.push((begin.elapsed(), mib(memory(pid)?.resident_kib)));
        sleep(WATCH_INTERVAL);
    }
    Ok(samples)
}

fn good(phase: &Phase) -> impl Iterator<Item = &Request> {
    let is_good = |request: &&Request| request.outcome == Outcome::Good;
    phase.requests.iter().filter(is_good)
}

fn is_refused(request: &Request) -> bool {
    matches!(request.outcome, Outcome::Refused { .. })
}

/// A percentile of the latency, in milliseconds.
fn latency<'a>(requests: impl Iterator<Item = &'a Request>, percent: usize) -> Option<f64> {
    let mut times: Vec<f64> = requests.map(|request| ms(request.latency())).collect();
    percentile(&mut times, percent)
}

/// Outcomes other than good answers and refusals, and refusals from `recovered` on.
fn failures(phases: [&Phase; 3], recovered: Duration) -> BTreeMap<String, u64> {
    let mut failures = BTreeMap::new();
    for phase in phases {
        for request in &phase.requests {
            if let Outcome::Failed(how) = &request.outcome {
                *failures.entry(how.clone()).or_default() += 1;
            }
        }
    }
    // Unanswered requests of the other phases were in flight at their ends.
    let [_, flood, after] = phases;
    let refusals = after.requests.iter().filter(|request| is_refused(request));
    let refused = refusals.filter(|request| request.begun > recovered).count();
    for (how, count) in [
        ("no answer", flood.unanswered),
        ("503 long after the overload", refused),
    ] {
        if count > 0 {
            failures.insert(how.to_owned(), count as u64);
        }
    }
    failures
}

fn rate(count: usize, duration: Duration) -> f64 {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    f64::from(count) / duration.as_secs_f64()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(begun: u64, ended: u64, outcome: Outcome) -> Request {
        Request {
            begun: Duration::from_millis(begun),
            ended: Duration::from_millis(ended),
            late: Duration::ZERO,
            outcome,
        }
    }

    #[test]
    fn a_refusal_is_a_failure_from_a_second_after_the_overload_on() {
        let refused = Outcome::Refused {
            has_retry_after: true,
        };
        let phase = |begun, outcome| Phase {
            requests: vec![request(begun, begun + 3, outcome)],
            ..Phase::default()
        };
        let recovered = Duration::from_secs(2);
        let (good, flood) = (phase(0, Outcome::Good), phase(1900, refused.clone()));
        assert!(failures([&good, &flood, &flood], recovered).is_empty());
        let after = phase(2100, refused);
        let expected = BTreeMap::from([("503 long after the overload".to_owned(), 1)]);
        assert_eq!(failures([&good, &flood, &after], recovered), expected);
    }

    #[test]
    fn an_unanswered_request_of_the_overload_is_a_failure() {
        let flood = Phase {
            unanswered: 2,
            ..Phase::default()
        };
        let none = Phase::default();
        let expected = BTreeMap::from([("no answer".to_owned(), 2)]);
        assert_eq!(failures([&none, &flood, &none], Duration::ZERO), expected);
    }

    #[test]
    fn latency_counts_from_when_a_request_was_sent() {
        let requests = [
            request(10, 12, Outcome::Good),
            request(10, 60, Outcome::Good),
        ];
        assert_eq!(latency(requests.iter(), 100), Some(50.0));
        assert_eq!(latency(requests.iter(), 50), Some(2.0));
    }
}
