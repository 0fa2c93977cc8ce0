//! With one thread and with two.

use anyhow::Result;

use super::{NATIVE, OURS, case, median, range};
use crate::figures::goals::Limit;
use crate::measure::{Bench, Case};
use crate::plot::{Bar, Kind, Plot};
use crate::report::Report;
use crate::report::table::Table;

/// How many times the requests of one thread two should answer. Not twice as
/// many: the load generator needs a processor as well.
const GROWTH: f64 = 1.3;

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let programs = &bench.programs;
    let name = |server: &str, threads: &str| match threads {
        "1" => format!("{server}, 1 thread"),
        _ => format!("{server}, {threads} threads"),
    };
    let cases: Vec<Case> = ["1", "2"]
        .iter()
        .flat_map(|threads| {
            let flags = ["--threads", threads];
            [
                case(&name(OURS, threads), programs.ours(&flags)),
                case(&name(NATIVE, threads), programs.native(&flags)),
            ]
        })
        .collect();
    let mut rows = bench.rounds(&cases);
    // Each server's rows together.
    rows.sort_by_key(|row| row.name.starts_with(NATIVE));

    let mut table = Table::new(&[
        "server",
        "requests/s: min / median / max",
        "CPU per request, µs",
        "p50, µs",
        "p99, µs",
    ]);
    for row in &rows {
        table.row([
            row.name.clone(),
            range(row.summary(|sample| sample.requests_per_second)),
            range(row.summary(|sample| sample.cpu_us)),
            median(row.summary(|sample| sample.p50_us)),
            median(row.summary(|sample| sample.p99_us)),
        ]);
    }
    let bars = rows.iter().map(|row| Bar {
        label: row.name.clone(),
        kind: if row.name.starts_with(NATIVE) {
            Kind::Native
        } else {
            Kind::Ours
        },
        summary: row.summary(|sample| sample.requests_per_second),
    });
    let plot = Plot::Bars {
        title: "Requests per second, with one thread and with two".to_owned(),
        unit: "requests/s; more is better",
        bars: bars.collect(),
    };
    let about = "The load of the main series on servers with one thread and with two. The load \
                 generator runs on the same processors, so where there are only two, two threads \
                 of a server do not have them to themselves.";
    let verdict = rows[1].judge(
        &rows[0],
        |sample| sample.requests_per_second,
        Limit::AtLeast(GROWTH),
        "requests/s of ours with two threads over those with one",
    );
    let mut report = Report::on(bench, &rows, "threads", about, table, plot)?;
    report.verdicts = vec![verdict];
    Ok(report)
}
