//! Ten times as many requests as the server can answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::Result;

use super::OURS;
use super::calibrate::calibrate;
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::{count, percentile};
use crate::load::flood::{self, latency_ms};
use crate::load::job::Job;
use crate::load::wrk;
use crate::machine::kernel::{RESIDENT, memory_mib};
use crate::measure::{self, Bench, CONNECTIONS, Target, Turn};
use crate::programs::guest;
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::Server;
use crate::servers::running::Running;

/// Requests of the overload over those that the server can answer.
pub(super) const TIMES: f64 = 10.0;

/// Processor time of a request, and amount of work with which its calibration starts.
pub(super) const COST: Duration = Duration::from_millis(2);
pub(super) const STEPS: u32 = 500_000;

/// Length of the overload in ordinary turns.
const LONGER: u32 = 3;

/// Time after the overload at which everything must be as before.
const RECOVERY: Duration = Duration::from_secs(1);

/// Sampling interval of the memory.
const WATCH_INTERVAL: Duration = Duration::from_millis(20);

/// Default number of instances of ours, and goal for the memory that an overload adds for each, and
/// for each connection, in KiB.
const INSTANCES: f64 = 1000.0;
const KIB_FOR_AN_INSTANCE: f64 = 128.0;
const KIB_FOR_A_CONNECTION: f64 = 16.0;

/// The goals: figure in words, unit, limit, and key of the figure.
#[rustfmt::skip]
const GOALS: [(&str, &str, Limit, &str); 6] = [
    ("p99 of refusals", "ms", Limit::AtMost(50.0), "refused_p99"),
    ("refusals without `Retry-After`", "requests", Limit::AtMost(0.0), "without_retry_after"),
    ("requests neither answered correctly nor refused", "requests", Limit::AtMost(0.0), "failures"),
    ("growth of memory over its bound", "×", Limit::AtMost(1.0), "growth_over_bound"),
    ("answers/s 1 s after the overload, over capacity", "×", Limit::AtLeast(0.9), "after_over_capacity"),
    ("p99 1 s after the overload, over that at capacity", "×", Limit::AtMost(2.0), "after_p99_over_capacity"),
];

/// The rows of the table: names, and keys of figures.
#[rustfmt::skip]
const FIGURES: [(&str, &str); 16] = [
    ("capacity, good answers/s", "capacity_per_second"),
    ("its p99, ms", "capacity_p99"),
    ("overload: requests/s", "offered_per_second"),
    ("good answers/s over capacity", "good_over_capacity"),
    ("refused with 503", "refused"),
    ("p50 of refusals, ms", "refused_p50"),
    ("p99 of refusals, ms", "refused_p99"),
    ("delay in the load generator: p99, ms", "late_p99"),
    ("not sent for lack of connections", "unsent"),
    ("connections at once", "connections"),
    ("memory before, MiB", "before_mib"),
    ("peak, MiB", "peak_mib"),
    ("growth of memory over its bound", "growth_over_bound"),
    ("good answers/s from 1 s after the end on, over capacity", "after_over_capacity"),
    ("p99 from then on, over that at capacity", "after_p99_over_capacity"),
    ("neither answered correctly nor refused", "failures"),
];

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let server = Server::ours(&bench.programs, &[]).serving(&guest("cpu_burn")?);
    let job = calibrate(&server, COST, STEPS, Job::compute)?;
    let mut targets = [Target::new(OURS, server, &job)];
    let shown = "good_over_capacity";
    measure::take(bench.turns, &mut targets, shown, |_, target| {
        take(bench, target)
    });
    let target = &targets[0];
    let verdict = |(what, unit, goal, key)| Verdict::new(what, unit, goal, target.summary(key));
    let verdicts = GOALS.map(verdict).into();
    let table = Table::of_figures(target, &FIGURES);
    let about = format!(
        "A guest that computes for about {} ms. First {CONNECTIONS} connections send one request \
         after the other, which gives the capacity of the server. Then {TIMES} times as many \
         requests arrive for {} s, without waiting for answers, on up to 8,000 connections; refused \
         requests are not repeated. From a second after their end on, {CONNECTIONS} new connections \
         send as at first. The load generator needs a part of the same processors. The latency of a \
         refusal counts from when its request was sent, including a new connection where one is \
         made.",
        COST.as_millis(),
        bench.turns.longer(LONGER).seconds
    );
    Ok(Report {
        verdicts,
        ..Report::new("overload", about, bench.turns, table, &targets)?
    })
}

/// One server before, during and after an overload.
fn take(bench: &Bench, target: &Target) -> Result<Turn> {
    let running = Running::start(&target.server)?;
    let (addr, job) = (running.addr, &target.job);
    let load = |seconds| wrk::run(addr, job, CONNECTIONS, seconds);
    load(1)?;
    let capacity = load(bench.turns.seconds)?;
    let per_second = capacity.per_second();

    let before_mib = memory_mib(running.id(), RESIDENT)?;
    let duration = Duration::from_secs(bench.turns.longer(LONGER).seconds.into());
    let is_over = AtomicBool::new(false);
    let (flood, peak_mib, after) = thread::scope(|scope| {
        let peak = scope.spawn(|| peak_mib(running.id(), &is_over));
        let flood = scope.spawn(|| flood::send(addr, job, per_second * TIMES, duration));
        sleep(duration + RECOVERY);
        // It may still refuse requests.
        let after = wrk::send(addr, job, CONNECTIONS, bench.turns.seconds);
        is_over.store(true, Ordering::Relaxed);
        let flood = flood.join().expect("no client panics");
        (flood, peak.join().expect("sampling does not panic"), after)
    });
    let (flood, after) = (flood?, after?);

    let connections = count(flood.peak_open);
    let bound_kib = INSTANCES * KIB_FOR_AN_INSTANCE + connections * KIB_FOR_A_CONNECTION;
    let offered = flood.requests.len() + flood.unanswered + flood.unsent;
    let in_time = flood.good().filter(|request| request.ended <= duration);
    let in_time = count(in_time.count()) / duration.as_secs_f64();
    let late = flood.requests.iter().map(|one| one.late.as_secs_f64());
    let peak_mib = peak_mib?;
    let mut turn = Turn::of([
        ("capacity_per_second", per_second),
        ("capacity_p99", capacity.p99_us / 1e3),
        (
            "offered_per_second",
            count(offered) / duration.as_secs_f64(),
        ),
        ("good_over_capacity", in_time / per_second),
        ("refused", count(flood.refused().count())),
        ("without_retry_after", count(flood.without_retry_after())),
        ("failures", count(flood.failures()) + after.failed()),
        ("unsent", count(flood.unsent)),
        ("connections", connections),
        ("before_mib", before_mib),
        ("peak_mib", peak_mib),
        (
            "growth_over_bound",
            (peak_mib - before_mib) * 1024.0 / bound_kib,
        ),
        ("after_over_capacity", after.per_second() / per_second),
        ("after_p99_over_capacity", after.p99_us / capacity.p99_us),
    ]);
    turn.set("refused_p50", latency_ms(flood.refused(), 50));
    turn.set("refused_p99", latency_ms(flood.refused(), 99));
    let late = percentile(&mut late.collect::<Vec<_>>(), 99);
    turn.set("late_p99", late.map(|seconds| seconds * 1e3));
    Ok(turn)
}

/// The peak of the resident memory of a process, in MiB.
fn peak_mib(pid: u32, is_over: &AtomicBool) -> Result<f64> {
    let mut peak: f64 = 0.0;
    while !is_over.load(Ordering::Relaxed) {
        peak = peak.max(memory_mib(pid, RESIDENT)?);
        sleep(WATCH_INTERVAL);
    }
    Ok(peak)
}
