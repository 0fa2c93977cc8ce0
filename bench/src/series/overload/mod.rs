//! Ten times as many requests as the server can answer.
//!
//! - [`turn`]: one server before, during and after that.
//! - this file: all turns, and what they showed.

mod turn;

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::{OURS, range};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::load::paced::list;
use crate::measure::Bench;
use crate::plot::{Bar, Kind, Plot};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::programs::guest;
use turn::{CONNECTIONS, Phases, Turn};
pub(super) use turn::{COST, TIMES, calibrate};

/// How soon a request has to be refused, in milliseconds.
const REFUSED_WITHIN_MS: f64 = 50.0;

/// How many instances ours has at once, unless told otherwise, and how much memory
/// an overload may add for each, and for each connection, in KiB.
const INSTANCES: u16 = 1000;
const KIB_FOR_AN_INSTANCE: f64 = 128.0;
const KIB_FOR_A_CONNECTION: f64 = 16.0;

/// How much of its throughput, and how many times its latency, a server has to have
/// a second after an overload.
const OF_THROUGHPUT: f64 = 0.9;
const OVER_BEFORE: f64 = 2.0;

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let server = bench.programs.ours(&[]).serving(&guest("toil")?);
    let job = calibrate(&server)?;
    let seconds = u64::from(bench.turns.seconds);
    let phases = Phases {
        capacity: Duration::from_secs(seconds),
        overload: Duration::from_secs(3 * seconds),
        after: Duration::from_secs(1 + seconds),
    };
    let rounds = bench.turns.rounds;
    let mut turns = Vec::new();
    let mut failure = None;
    for round in 1..=rounds {
        match Turn::take(&server, &job, phases) {
            Ok(turn) => {
                eprintln!(
                    "{round}/{rounds} capacity {:.0}/s, then {:.0} good and {} refused of {:.0}/s; {}",
                    turn.capacity_per_second,
                    turn.good_per_second,
                    turn.refused,
                    turn.offered_per_second,
                    list(&turn.failures)
                );
                turns.push(turn);
            }
            Err(error) => failure = Some(format!("{error:#}")),
        }
    }
    let mut report = report(&turns, phases, rounds);
    report.commands = vec![(OURS.to_owned(), server.shown())];
    report.failures = failure.into_iter().collect();
    report.figures = json!({ "path": job.path(), "turns": turns });
    Ok(report)
}

fn report(turns: &[Turn], phases: Phases, rounds: u32) -> Report {
    let Phases {
        capacity,
        overload,
        after,
    } = phases;
    Report {
        name: "overload",
        about: format!(
            "A guest that computes for about 2 ms. At first {CONNECTIONS} connections ask one \
             request after the other for {} s: what is answered then is what the server can do. \
             Then {TIMES} times as many requests come for {} s, whether they are answered or not, \
             on up to 8,000 connections; what was refused is not sent again. Then, while all \
             others wait for their answers, {CONNECTIONS} new connections ask as at first, for {} \
             s. The load generator needs some of the same processors. What is refused is timed \
             from when it was sent, with the time for a new connection where one is made.",
            capacity.as_secs(),
            overload.as_secs(),
            after.as_secs(),
        ),
        turns: format!("{rounds} rounds"),
        table: table(turns),
        verdicts: verdicts(turns),
        warnings: Vec::new(),
        failures: Vec::new(),
        commands: Vec::new(),
        figures: serde_json::Value::Null,
        plot: Plot::Bars {
            title: "Good answers before, during and after an overload".to_owned(),
            unit: "answers/s, median and range of the rounds; more is better",
            bars: [
                (
                    "as much as it can",
                    summary(turns, |turn| Some(turn.capacity_per_second)),
                ),
                (
                    "with 10 times as much",
                    summary(turns, |turn| Some(turn.good_per_second)),
                ),
                (
                    "a second after that",
                    summary(turns, |turn| Some(turn.after_per_second)),
                ),
            ]
            .map(|(label, summary)| Bar {
                label: label.to_owned(),
                kind: Kind::Ours,
                summary,
            })
            .into(),
        },
    }
}

/// A figure over all turns; none if one of them does not have it.
fn summary(turns: &[Turn], figure: impl Fn(&Turn) -> Option<f64>) -> Option<Summary> {
    let figures: Option<Vec<f64>> = turns.iter().map(figure).collect();
    Summary::of(figures?)
}

/// Where memory has to stay below, beyond what it was before, in MiB.
fn bound_mib(turn: &Turn) -> f64 {
    let connections = f64::from(u32::try_from(turn.most_connections).unwrap_or(u32::MAX));
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
        ("sent too late by the load generator: p99, ms", |turn| {
            Some(turn.late_p99)
        }),
        ("memory before, MiB", |turn| Some(turn.before_mib)),
        ("until half of the overload was over, MiB", |turn| {
            Some(turn.half_way_mib)
        }),
        ("at its peak, MiB", |turn| Some(turn.peak_mib)),
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
        count(|turn| turn.most_connections),
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
            "requests that were neither answered well nor refused",
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
