//! One server before, during and after an overload.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::load::crowd::{self, Fate, Outcome, Phase};
use crate::load::job::Job;
use crate::load::paced::percentile;
use crate::machine::kernel::{memory, processor_time};
use crate::machine::rest::mib;
use crate::servers::Server;
use crate::servers::running::Running;

/// How many connections ask one request after the other where the server is to be
/// busy and not more.
pub(super) const CONNECTIONS: usize = 32;

/// How many times as many requests come as the server can answer.
pub(in crate::series) const TIMES: f64 = 10.0;

/// When after the end of the overload everything has to be as before.
pub(super) const RECOVERY: Duration = Duration::from_secs(1);

/// How long an overload begins: until then, its clients make their connections.
const ONSET: Duration = Duration::from_secs(1);

/// How much processor time a request needs.
pub(in crate::series) const COST: Duration = Duration::from_millis(2);

/// How often the memory is looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(20);

/// How long each phase lasts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phases {
    pub(super) capacity: Duration,
    pub(super) overload: Duration,
    pub(super) after: Duration,
}

/// What one turn showed. Times are in milliseconds.
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
    /// Refusals that do not say when to come again.
    pub(super) without_retry_after: usize,
    /// Anything but good answers and refusals, in all phases.
    pub(super) failures: BTreeMap<String, u64>,
    /// Requests that could not be sent, for lack of connections.
    pub(super) unsent: usize,
    /// How much later the load generator sent requests than they were due.
    pub(super) late_p99: f64,
    pub(super) most_connections: usize,
    pub(super) before_mib: f64,
    pub(super) half_way_mib: f64,
    pub(super) peak_mib: f64,
    /// From [`RECOVERY`] after the end on.
    pub(super) after_per_second: f64,
    pub(super) after_p99: Option<f64>,
    /// How long after the end the last request of the overload was answered.
    pub(super) backlog: f64,
}

/// A job that takes [`COST`] on this machine, found out with a server of its own.
pub(in crate::series) fn calibrate(server: &Server) -> Result<Job> {
    const STEPS: u32 = 500_000;
    let running = Running::start(server)?;
    let job = Job::compute(STEPS.into());
    job.check(running.addr)?;
    let before = processor_time(running.id())?;
    let phase = crowd::closed(running.addr, &job, 1, Duration::from_secs(1))?;
    let used = processor_time(running.id())?.since(&before).total();
    let requests = u32::try_from(phase.fates.len())?;
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
        ensure!(capacity_per_second > 0.0, "it answers nothing");

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
            (seen, watching.join().expect("watching does not panic"))
        });
        let (flood, after) = seen?;
        let memory = memory?;

        let end = phases.overload;
        let recovered = end + RECOVERY;
        let until = end + phases.after;
        let all = || good(&flood).chain(good(&after));
        let in_time = good(&flood).filter(|fate| fate.ended <= end).count();
        let late = |fate: &Fate| fate.ended > recovered && fate.ended <= until;
        let peak = |samples: &[(Duration, f64)]| samples.iter().map(|s| s.1).fold(0.0, f64::max);
        let half_way = memory.partition_point(|(at, _)| *at <= end / 2);
        let refusals: Vec<&Fate> = flood.fates.iter().filter(|fate| is_refused(fate)).collect();
        let refused = |percent| waited(refusals.iter().copied(), percent);
        let last = flood.fates.iter().map(|fate| fate.ended).max();
        let mut late_ms: Vec<f64> = flood.fates.iter().map(|fate| ms(fate.late)).collect();
        Ok(Self {
            capacity_per_second,
            capacity_p99: waited(good(&capacity), 99).context("it answers nothing")?,
            offered_per_second: rate(
                flood.fates.len() + flood.unanswered + flood.unsent,
                phases.overload,
            ),
            good_per_second: rate(in_time, phases.overload),
            good_p99: waited(good(&flood), 99),
            refused: refusals.len(),
            refused_p50: refused(50),
            refused_p99: refused(99),
            refused_max: refused(100),
            refused_later_p99: waited(
                refusals.iter().copied().filter(|fate| fate.begun > ONSET),
                99,
            ),
            without_retry_after: refusals
                .iter()
                .filter(|fate| fate.outcome == Outcome::Refused { says_when: false })
                .count(),
            failures: failures([&capacity, &flood, &after], recovered),
            unsent: flood.unsent,
            late_p99: percentile(&mut late_ms, 99).unwrap_or_default(),
            most_connections: flood.most_open,
            before_mib,
            half_way_mib: peak(&memory[..half_way]),
            peak_mib: peak(&memory),
            after_per_second: rate(
                all().filter(|fate| late(fate)).count(),
                until.saturating_sub(recovered),
            ),
            after_p99: waited(good(&after).filter(|fate| fate.begun > recovered), 99),
            backlog: ms(last.unwrap_or_default().saturating_sub(end)),
        })
    }
}

/// The resident memory of a process, in MiB, at times that are counted from now on.
fn watch(pid: u32, is_over: &AtomicBool) -> Result<Vec<(Duration, f64)>> {
    let begin = Instant::now();
    let mut samples = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        samples.push((begin.elapsed(), mib(memory(pid)?.resident_kib)));
        sleep(WATCH_INTERVAL);
    }
    Ok(samples)
}

fn good(phase: &Phase) -> impl Iterator<Item = &Fate> {
    let is_good = |fate: &&Fate| fate.outcome == Outcome::Good;
    phase.fates.iter().filter(is_good)
}

fn is_refused(fate: &Fate) -> bool {
    matches!(fate.outcome, Outcome::Refused { .. })
}

/// How long so many of a hundred requests waited at most, in milliseconds.
fn waited<'a>(fates: impl Iterator<Item = &'a Fate>, percent: usize) -> Option<f64> {
    let mut times: Vec<f64> = fates
        .map(|fate| ms(fate.ended.saturating_sub(fate.begun)))
        .collect();
    percentile(&mut times, percent)
}

/// Whatever is neither a good answer nor a refusal, and refusals from `recovered` on.
fn failures(phases: [&Phase; 3], recovered: Duration) -> BTreeMap<String, u64> {
    let mut failures = BTreeMap::new();
    for phase in phases {
        for fate in &phase.fates {
            if let Outcome::Failed(how) = &fate.outcome {
                *failures.entry(how.clone()).or_default() += 1;
            }
        }
    }
    // Those of the other phases were under way at an end that nobody announced.
    let [_, flood, after] = phases;
    let refusals = after.fates.iter().filter(|fate| is_refused(fate));
    let refused = refusals.filter(|fate| fate.begun > recovered).count();
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

    fn fate(begun: u64, ended: u64, outcome: Outcome) -> Fate {
        Fate {
            begun: Duration::from_millis(begun),
            ended: Duration::from_millis(ended),
            late: Duration::ZERO,
            outcome,
        }
    }

    #[test]
    fn a_refusal_is_no_failure_until_a_second_after_the_overload() {
        let refused = Outcome::Refused { says_when: true };
        let phase = |begun, outcome| Phase {
            fates: vec![fate(begun, begun + 3, outcome)],
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
    fn a_request_of_the_overload_that_is_never_answered_is_a_failure() {
        let flood = Phase {
            unanswered: 2,
            ..Phase::default()
        };
        let none = Phase::default();
        let expected = BTreeMap::from([("no answer".to_owned(), 2)]);
        assert_eq!(failures([&none, &flood, &none], Duration::ZERO), expected);
    }

    #[test]
    fn waiting_is_counted_from_when_a_request_was_sent() {
        let fates = [fate(10, 12, Outcome::Good), fate(10, 60, Outcome::Good)];
        assert_eq!(waited(fates.iter(), 100), Some(50.0));
        assert_eq!(waited(fates.iter(), 50), Some(2.0));
    }
}
