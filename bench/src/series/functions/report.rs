//! The report on all turns.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::turn::{Latency, Turn};
use super::{Functions, Requested};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::measure::{Bench, Row, Sample};
use crate::report::Report;
use crate::report::table::{Table, figure};
use crate::series::range;
use crate::series::target::Target;

/// Goal for the memory of an unused function, in KiB.
const KIB_FOR_EACH: f64 = 300.0;

/// Goal for the first request to a function, in milliseconds.
const FIRST_MS: f64 = 10.0;

/// Goal for the processor time of routing, in microseconds.
const ROUTING_US: f64 = 1.0;

pub(super) fn report(
    bench: &Bench,
    cold: Duration,
    servers: &[Functions],
    rows: &[Row],
) -> Result<Report> {
    let cold_s = cold.as_secs_f64();
    let about = format!(
        "Functions of one component, `app.wasm`, each with its own bytes and compiled code. The \
         first start of all of them, which compiles, took {} s. After that the code is cached: \
         times are from the start of the process to the first answer, when all are served. Memory \
         is private memory of the idle server: before all functions but one had a request, and \
         after each had one. Its unwritten part is compiled code in files, which the system can \
         reclaim. In between, up to 200 functions get their first request, one after the other on \
         one connection, and each its second one right after. Finally, processor time is measured \
         under the load of the main series, on one function or on all in turn.",
        figure(cold_s)
    );
    let mut report = Report::on(bench, rows, "functions", about, table(servers, rows))?;
    report.verdicts = verdicts(servers, rows);
    let failures = servers.iter().filter_map(|one| one.target.failure());
    report.failures.extend(failures);
    let command = |one: &Functions| (one.target.name.clone(), one.target.server.shown());
    report.commands = servers.iter().map(command).collect();
    report.figures = json!({ "cold_start_s": cold_s, "servers": servers, "load": rows });
    Ok(report)
}

fn table(servers: &[Functions], rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "what is served",
        "first answer, ms: min / median / max",
        "private memory, MiB",
        "of it written, MiB",
        "after a request to each, MiB",
        "of it written, MiB",
        "first request, ms: p50 / p99 / max",
        "second request, ms",
        "CPU per request to one, µs",
        "to all in turn, µs",
    ]);
    for server in servers {
        let target = &server.target;
        let memory = |figure: fn(&Turn) -> f64| target.median(|turn| Some(figure(turn)));
        let cpu = |which| match server.row(rows, which) {
            Some(row) => range(row.summary(cpu_us)),
            None => "-".to_owned(),
        };
        table.row([
            target.name.clone(),
            target.range(|turn| Some(turn.first_answer_ms)),
            memory(|turn| turn.fresh.all_mib),
            memory(|turn| turn.fresh.dirty_mib),
            memory(|turn| turn.used.all_mib),
            memory(|turn| turn.used.dirty_mib),
            latency(target, |turn| turn.first),
            latency(target, |turn| turn.second),
            cpu(Requested::One),
            cpu(Requested::All),
        ]);
    }
    table
}

/// Medians of the rounds for a cell.
fn latency(target: &Target<Turn>, of: fn(&Turn) -> Option<Latency>) -> String {
    let percentile = |which: fn(Latency) -> f64| {
        let summary = target.summary(|turn| of(turn).map(which));
        summary.map_or_else(|| "-".to_owned(), |summary| figure(summary.median))
    };
    let [p50, p99, max] = [
        percentile(|latency| latency.p50),
        percentile(|latency| latency.p99),
        percentile(|latency| latency.max),
    ];
    format!("{p50} / {p99} / {max}")
}

fn cpu_us(sample: &Sample) -> f64 {
    sample.cpu_us
}

fn verdicts(servers: &[Functions], rows: &[Row]) -> Vec<Verdict> {
    let with = |count| servers.iter().find(|one| one.count == Some(count));
    let Some((one, most)) = with(1).zip(servers.last()) else {
        return Vec::new();
    };
    let memory = |what: &str, mib: fn(&Turn) -> f64| {
        let each = kib_for_each(one, most, mib);
        let found = each.map(|each| each.median);
        Verdict::new(what, "KiB", Limit::AtMost(KIB_FOR_EACH), found, each)
    };
    let first = most.target.summary(|turn| Some(turn.first?.p99));
    let routing = more(
        one.row(rows, Requested::One),
        most.row(rows, Requested::One),
    );
    vec![
        memory("written by an unused function", |turn| turn.fresh.dirty_mib),
        memory("written by a used function", |turn| turn.used.dirty_mib),
        memory("with compiled code in files, an unused function", |turn| {
            turn.fresh.all_mib
        }),
        Verdict::new(
            "p99 of the first request to a function",
            "ms",
            Limit::AtMost(FIRST_MS),
            first.map(|first| first.median),
            first,
        ),
        Verdict::new(
            "CPU per request with 1,000 functions beyond that with one",
            "µs",
            Limit::AtMost(ROUTING_US),
            routing.map(|(found, _)| found),
            routing.map(|(_, rounds)| rounds),
        ),
    ]
}

/// Memory per function beyond the first, in KiB, over all rounds.
fn kib_for_each(one: &Functions, most: &Functions, mib: fn(&Turn) -> f64) -> Option<Summary> {
    if one.target.failure.is_some() || most.target.failure.is_some() {
        return None;
    }
    let others = f64::from(most.count? - one.count?);
    let pairs = one.target.turns.iter().zip(&most.target.turns);
    let growth_mib = pairs.map(|(one, most)| mib(most) - mib(one));
    Summary::of(growth_mib.map(|mib| mib * 1024.0 / others))
}

/// Additional processor time of the requests to `most` over those to `one`: by the medians, and in
/// single rounds.
fn more(one: Option<&Row>, most: Option<&Row>) -> Option<(f64, Summary)> {
    let (one, most) = one.zip(most)?;
    let found = most.summary(cpu_us)?.median - one.summary(cpu_us)?.median;
    let pairs = one.samples.iter().zip(&most.samples);
    let rounds = Summary::of(pairs.map(|(one, most)| most.cpu_us - one.cpu_us))?;
    Some((found, rounds))
}

#[cfg(test)]
mod tests {
    use super::super::turn::Private;
    use super::*;
    use crate::measure::tests::row;
    use crate::servers::tests::server;

    fn functions(count: u16, private_mib: &[f64]) -> Functions {
        let private = |all_mib| Private {
            all_mib,
            dirty_mib: all_mib,
        };
        let turn = |&mib: &f64| Turn {
            first_answer_ms: 1.0,
            fresh: private(mib),
            used: private(mib),
            first: None,
            second: None,
        };
        Functions {
            count: Some(count),
            jobs: Vec::new(),
            target: Target {
                turns: private_mib.iter().map(turn).collect(),
                ..Target::new("functions", server())
            },
        }
    }

    #[test]
    fn memory_per_function_is_the_growth_over_all_but_the_first() {
        let (one, most) = (
            functions(1, &[10.0, 11.0]),
            functions(1000, &[109.9, 110.9]),
        );
        let each = kib_for_each(&one, &most, |turn| turn.fresh.all_mib).unwrap();
        assert!((each.median - 102.4).abs() < 1e-9, "{each:?}");
    }

    #[test]
    fn a_server_that_failed_has_no_memory_per_function() {
        let mut failed = functions(1000, &[109.9]);
        failed.target.failure = Some("it ended".to_owned());
        let one = functions(1, &[10.0]);
        assert_eq!(kib_for_each(&one, &failed, |turn| turn.fresh.all_mib), None);
    }

    #[test]
    fn more_processor_time_is_a_difference_of_medians_and_of_each_round() {
        let (one, most) = (
            row("one", &[10.0, 12.0, 11.0]),
            row("most", &[11.0, 12.5, 13.0]),
        );
        let (found, rounds) = more(Some(&one), Some(&most)).unwrap();
        assert!((found - 1.5).abs() < 1e-9, "{found}");
        assert_eq!((rounds.min, rounds.max), (0.5, 2.0));
    }
}
