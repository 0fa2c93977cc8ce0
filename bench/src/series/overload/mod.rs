//! Ten times as many requests as the server can answer.
//!
//! - [`turn`]: one server before, during and after that.
//! - this file: all turns, and the report.

mod turn;

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::target::Target;
use super::{OURS, range};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::load::paced::list;
use crate::measure::Bench;
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::programs::guest;
use turn::{CONNECTIONS, Phases, Turn};
pub(super) use turn::{COST, TIMES, calibrate};

/// Goal for the latency of a refusal, in milliseconds.
const REFUSED_WITHIN_MS: f64 = 50.0;

/// Default number of instances of ours, and goal for the memory that an overload adds for each, and
/// for each connection, in KiB.
const INSTANCES: u16 = 1000;
const KIB_FOR_AN_INSTANCE: f64 = 128.0;
const KIB_FOR_A_CONNECTION: f64 = 16.0;

/// Goals for throughput and latency a second after an overload, over those before.
const OF_THROUGHPUT: f64 = 0.9;
const OVER_BEFORE: f64 = 2.0;

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let server = bench.programs.ours(&[]).serving(&guest("cpu_burn")?);
    let job = calibrate(&server)?;
    let seconds = u64::from(bench.turns.seconds);
    let phases = Phases {
        capacity: Duration::from_secs(seconds),
        overload: Duration::from_secs(3 * seconds),
        after: Duration::from_secs(1 + seconds),
    };
    let rounds = bench.turns.rounds;
    let mut target = Target::new(OURS, server);
    for round in 1..=rounds {
        if let Some(turn) = target.take(|target| Turn::take(&target.server, &job, phases)) {
            eprintln!(
                "{round}/{rounds} capacity {:.0}/s, then {:.0} good and {} refused of {:.0}/s; {}",
                turn.capacity_per_second,
                turn.good_per_second,
                turn.refused,
                turn.offered_per_second,
                list(&turn.failures)
            );
        }
    }
    let about = format!(
        "A guest that computes for about 2 ms. First {CONNECTIONS} connections send one request \
         after the other for {} s, which gives the capacity of the server. Then {TIMES} times as \
         many requests arrive for {} s, without waiting for answers, on up to 8,000 connections; \
         refused requests are not repeated. Then, while the others wait for their answers, \
         {CONNECTIONS} new connections send as at first for {} s. The load generator needs a part \
         of the same processors. The latency of a refusal counts from when its request was sent, \
         including a new connection where one is made.",
        phases.capacity.as_secs(),
        phases.overload.as_secs(),
        phases.after.as_secs(),
    );
    let turns = &target.turns;
    let report = Report {
        verdicts: verdicts(turns),
        ..Report::new("overload", about, format!("{rounds} rounds"), table(turns))
    };
    let figures = json!({ "path": job.path(), "turns": turns });
    Ok(Report {
        figures,
        ..report.with(std::slice::from_ref(&target))?
    })
}

/// A figure over all turns; none if it is missing in one of them.
fn summary(turns: &[Turn], figure: impl Fn(&Turn) -> Option<f64>) -> Option<Summary> {
    let figures: Option<Vec<f64>> = turns.iter().map(figure).collect();
    Summary::of(figures?)
}

/// Goal for the growth of the memory, in MiB.
fn bound_mib(turn: &Turn) -> f64 {
    let connections = f64::from(u32::try_from(turn.peak_connections).unwrap_or(u32::MAX));
    (f64::from(INSTANCES) * KIB_FOR_AN_INSTANCE + connections * KIB_FOR_A_CONNECTION) / 1024.0
}

fn growth_mib(turn: &Turn) -> f64 {
    turn.peak_mib - turn.before_mib
}

fn table(turns: &[Turn]) -> Table {
    type Figure = fn(&Turn) -> Option<f64>;
    let rows: [(&str, Figure); 18] = [
        ("capacity, good answers/s", |turn| {
            Some(turn.capacity_per_second)
        }),
        ("its p99, ms", |turn| Some(turn.capacity_p99)),
        ("overload: requests/s", |turn| Some(turn.offered_per_second)),
        ("good answers/s", |turn| Some(turn.good_per_second)),
        ("the same over capacity", |turn| {
            Some(turn.good_per_second / turn.capacity_per_second)
        }),
        ("p99 of good answers, ms", |turn| turn.good_p99),
        ("refused with 503: p50, ms", |turn| turn.refused_p50),
        ("p99, ms", |turn| turn.refused_p99),
        ("max, ms", |turn| turn.refused_max),
        ("p99 from 1 s after the beginning on, ms", |turn| {
            turn.refused_later_p99
        }),
        ("delay in the load generator: p99, ms", |turn| {
            Some(turn.late_p99)
        }),
        ("memory before, MiB", |turn| Some(turn.before_mib)),
        ("peak until half of the overload, MiB", |turn| {
            Some(turn.half_way_mib)
        }),
        ("peak, MiB", |turn| Some(turn.peak_mib)),
        ("bound on the growth, MiB", |turn| Some(bound_mib(turn))),
        ("last answer to the overload, ms after its end", |turn| {
            Some(turn.backlog)
        }),
        ("good answers/s from 1 s after the end on", |turn| {
            Some(turn.after_per_second)
        }),
        ("p99 of requests from then on, ms", |turn| turn.after_p99),
    ];
    let mut table = Table::new(&["figure", "min / median / max"]);
    for (name, figure) in rows {
        let found = summary(turns, figure);
        table.row([
            name.to_owned(),
            found.map_or_else(|| "none".to_owned(), |_| range(found)),
        ]);
    }
    let count = |figure: fn(&Turn) -> usize| {
        let counts = turns.iter().map(figure).map(|count| count.to_string());
        counts.collect::<Vec<_>>().join(", ")
    };
    table.row([
        "refused, in each round".to_owned(),
        count(|turn| turn.refused),
    ]);
    table.row([
        "connections at once, in each round".to_owned(),
        count(|turn| turn.peak_connections),
    ]);
    table.row([
        "not sent for lack of connections, in each round".to_owned(),
        count(|turn| turn.unsent),
    ]);
    let failures = turns.iter().map(|turn| list(&turn.failures));
    table.row([
        "failed, in each round".to_owned(),
        failures.collect::<Vec<_>>().join("; "),
    ]);
    table
}

fn verdicts(turns: &[Turn]) -> Vec<Verdict> {
    let judge = |what: &str, unit, goal, figure: fn(&Turn) -> Option<f64>| {
        let found = summary(turns, figure);
        Verdict::new(what, unit, goal, found.map(|found| found.median), found)
    };
    let none = |what: &str, count: fn(&Turn) -> u64| {
        let found = summary(turns, |turn| u32::try_from(count(turn)).ok().map(f64::from));
        let most = found.map(|found| found.max);
        Verdict::new(what, "requests", Limit::AtMost(0.0), most, found)
    };
    let soon = Limit::AtMost(REFUSED_WITHIN_MS);
    vec![
        judge("p99 of refusals", "ms", soon, |turn| turn.refused_p99),
        none("refusals without `Retry-After`", |turn| {
            turn.without_retry_after as u64
        }),
        none(
            "requests that were neither answered correctly nor refused",
            |turn| turn.failures.values().sum(),
        ),
        judge(
            "growth of memory over its bound",
            "×",
            Limit::AtMost(1.0),
            |turn| Some(growth_mib(turn) / bound_mib(turn)),
        ),
        judge(
            "good answers/s from 1 s after the overload on, over capacity",
            "×",
            Limit::AtLeast(OF_THROUGHPUT),
            |turn| Some(turn.after_per_second / turn.capacity_per_second),
        ),
        judge(
            "p99 from 1 s after the overload on, over that at capacity",
            "×",
            Limit::AtMost(OVER_BEFORE),
            |turn| Some(turn.after_p99? / turn.capacity_p99),
        ),
    ]
}
