//! From one connection to a thousand.

use anyhow::Result;

use super::{NATIVE, OURS, lines, median, ours_and_native, range, ratio, rows_of};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::measure::{Bench, Case, Row, Sample};
use crate::plot::{Panel, Plot};
use crate::report::Report;
use crate::report::table::Table;

const STEPS: [u32; 6] = [1, 8, 32, 128, 512, 1000];

/// What counts as flat: the dearest step over the cheapest.
const FLAT: f64 = 1.25;

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let cases: Vec<Case> = STEPS
        .iter()
        .flat_map(|&connections| {
            ours_and_native(bench).map(|case| Case {
                connections,
                ..case
            })
        })
        .collect();
    let rows = bench.rounds(&cases);

    let mut table = Table::new(&[
        "connections",
        "ours: CPU per request, µs",
        "native: CPU per request, µs",
        "ours over native",
        "ours: p99, µs",
        "native: p99, µs",
        "ours: peak memory, MiB",
    ]);
    for (ours, native) in rows_of(&rows, OURS).zip(rows_of(&rows, NATIVE)) {
        let (our_cpu, native_cpu) = (ours.summary(cpu), native.summary(cpu));
        table.row([
            ours.connections.to_string(),
            range(our_cpu),
            range(native_cpu),
            ratio(our_cpu, native_cpu),
            median(ours.summary(p99)),
            median(native.summary(p99)),
            median(ours.summary(|sample| sample.peak_mib)),
        ]);
    }

    let about = "Ours and native under the load of the main series, with 1 to 1,000 connections. \
                 With few connections a server sleeps between requests, and waking up costs \
                 processor time as well: compare with native.";
    let panel = |heading: &str, logarithmic, value| Panel {
        heading: heading.to_owned(),
        logarithmic,
        steps: STEPS.map(|step| step.to_string()).into(),
        places: None,
        lines: lines(&rows, value),
    };
    let panels = vec![
        panel("Processor time per request, µs", false, cpu),
        panel("99th percentile of the latency, µs", true, p99),
    ];
    let plot = Plot::Panels {
        title: "From 1 to 1,000 connections".to_owned(),
        panels,
    };
    let mut report = Report::on(bench, &rows, "connections", about, table, plot)?;
    report.verdicts = vec![flat(&rows)];
    Ok(report)
}

fn cpu(sample: &Sample) -> f64 {
    sample.cpu_us
}

fn p99(sample: &Sample) -> f64 {
    sample.p99_us
}

/// Whether the cost of a request is the same with any number of connections.
fn flat(rows: &[Row]) -> Verdict {
    let ours: Vec<&Row> = rows_of(rows, OURS).collect();
    let medians: Option<Vec<f64>> = ours
        .iter()
        .map(|row| row.summary(cpu).map(|summary| summary.median))
        .collect();
    let rounds = ours
        .iter()
        .map(|row| row.samples.len())
        .min()
        .unwrap_or_default();
    let in_round = |round: usize| steepness(ours.iter().map(|row| cpu(&row.samples[round])));
    let what = "CPU of ours with the worst number of connections over that with the best";
    let found = medians.and_then(steepness);
    let rounds = Summary::of((0..rounds).filter_map(in_round)).filter(|_| found.is_some());
    Verdict::new(what, "×", Limit::AtMost(FLAT), found, rounds)
}

/// The highest of some figures over the lowest.
fn steepness(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    Summary::of(figures).map(|summary| summary.max / summary.min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::row;

    #[test]
    fn a_cost_that_grows_with_the_connections_is_not_flat() {
        let rows = [row(OURS, &[40.0]), row(OURS, &[60.0])];
        assert_eq!(flat(&rows).word(), "missed");
    }

    #[test]
    fn the_cost_of_native_does_not_matter() {
        let rows = [row(OURS, &[40.0]), row(NATIVE, &[9.0]), row(OURS, &[44.0])];
        assert_eq!(flat(&rows).word(), "reached");
    }

    #[test]
    fn with_a_step_that_failed_nothing_is_said() {
        let failed = Row {
            failure: Some("it ended".to_owned()),
            ..row(OURS, &[])
        };
        assert_eq!(flat(&[row(OURS, &[40.0]), failed]).word(), "not measured");
    }
}
