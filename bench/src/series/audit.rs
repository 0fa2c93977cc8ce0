//! The cost of the audit log: the same service with a durable log, and without.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};

use super::{case, median, range, rows_of};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::measure::{Bench, Case, Row, Sample};
use crate::report::Report;
use crate::report::table::{Table, figure};
use crate::servers::programs::{part, scratch};

const STEPS: [u32; 4] = [1, 8, 64, 256];

/// The logs, by their names and locations.
const LOGS: [(&str, &str); 3] = [
    (NONE, "none"),
    ("jsonl", "jsonl:audit.jsonl"),
    (SQLITE, "sqlite:audit.db"),
];
const NONE: &str = "none";
const SQLITE: &str = "sqlite";

/// Goal for the throughput with the log over that without, at this number of connections.
const COMPARED: u32 = 64;
const OF_THROUGHPUT: f64 = 0.75;

/// Goal for the latency that one append adds, in fsyncs.
const FSYNCS: f64 = 1.0;

/// Number of timed fsyncs, and bytes written before each.
const TIMED_FSYNCS: usize = 400;
const FSYNC_BYTES: usize = 8192;

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let component = part("app")?;
    let folder = folder()?;
    let cases: Vec<Case> = STEPS
        .iter()
        .flat_map(|&connections| {
            LOGS.map(|(name, location)| {
                let server = bench.programs.ours(&["--audit", location]);
                Case {
                    connections,
                    ..case(name, server.serving(&component).within(&folder))
                }
            })
        })
        .collect();
    let before = time_fsync(&folder)?;
    let rows = bench.rounds(&cases);
    let after = time_fsync(&folder)?;
    let fsync_us = f64::midpoint(before, after);
    fs::remove_dir_all(&folder).context("cannot remove the logs")?;

    let mut table = Table::new(&[
        "connections",
        "log",
        "requests/s: min / median / max",
        "of those without",
        "CPU per request, µs",
        "p50, µs",
        "p99, µs",
    ]);
    for row in &rows {
        let without = rows_of(&rows, NONE).find(|other| other.connections == row.connections);
        let share = without
            .and_then(|without| Some((row.summary(throughput)?, without.summary(throughput)?)))
            .map(|(this, other)| format!("{:.0} %", this.median / other.median * 100.0));
        table.row([
            row.connections.to_string(),
            row.name.clone(),
            range(row.summary(throughput)),
            share.unwrap_or_default(),
            median(row.summary(|sample| sample.cpu_us)),
            median(row.summary(p50)),
            median(row.summary(|sample| sample.p99_us)),
        ]);
    }
    let about = format!(
        "`app.wasm`, which appends one entry per request and answers after its receipt, with a \
         durable log and without. With a log, requests/s are durable appends/s as well. Appending \
         {FSYNC_BYTES} bytes to a file and calling `fdatasync` takes {} µs here (median of {}, \
         half of them before the measurement and half after it).",
        figure(fsync_us),
        2 * TIMED_FSYNCS
    );
    let mut report = Report::on(bench, &rows, "audit", about, table)?;
    report.verdicts = vec![share_at(&rows, COMPARED), fsyncs(&rows, fsync_us)];
    Ok(report)
}

/// An empty folder on the disk of the target folder.
fn folder() -> Result<PathBuf> {
    let folder = scratch().join("audit");
    // It exists only if the last run was interrupted.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).context("cannot create a folder for the logs")?;
    Ok(folder)
}

/// The median time of an fsync in `folder`, in microseconds.
fn time_fsync(folder: &std::path::Path) -> Result<f64> {
    let path = folder.join("fsync");
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let mut times = Vec::with_capacity(TIMED_FSYNCS);
    for _ in 0..TIMED_FSYNCS {
        file.write_all(&[0; FSYNC_BYTES])?;
        let begin = Instant::now();
        file.sync_data()?;
        times.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    let summary = Summary::of(times).context("no fsync was timed")?;
    Ok(summary.median)
}

fn throughput(sample: &Sample) -> f64 {
    sample.requests_per_second
}

fn p50(sample: &Sample) -> f64 {
    sample.p50_us
}

fn at<'a>(rows: &'a [Row], name: &'a str, connections: u32) -> Option<&'a Row> {
    rows_of(rows, name).find(|row| row.connections == connections)
}

/// Throughput with the durable log over that without.
fn share_at(rows: &[Row], connections: u32) -> Verdict {
    let what = format!("throughput with the log over that without, at {connections} connections");
    let goal = Limit::AtLeast(OF_THROUGHPUT);
    match at(rows, SQLITE, connections).zip(at(rows, NONE, connections)) {
        Some((with, without)) => with.judge(without, throughput, goal, what),
        None => Verdict::new(what, "×", goal, None, None),
    }
}

/// Latency that the log adds to a single request, in fsyncs.
fn fsyncs(rows: &[Row], fsync_us: f64) -> Verdict {
    let pair = at(rows, SQLITE, 1).zip(at(rows, NONE, 1));
    let added = |with: f64, without: f64| (with - without) / fsync_us;
    let found = pair.and_then(|(with, without)| {
        Some(added(
            with.summary(p50)?.median,
            without.summary(p50)?.median,
        ))
    });
    let rounds = pair.and_then(|(with, without)| {
        let samples = with.samples.iter().zip(&without.samples);
        Summary::of(samples.map(|(with, without)| added(p50(with), p50(without))))
    });
    let what = "fsyncs that an append adds to the median latency at 1 connection";
    let rounds = rounds.filter(|_| found.is_some());
    Verdict::new(what, "fsyncs", Limit::AtMost(FSYNCS), found, rounds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::row;

    fn rows(connections: u32, with: (f64, f64), without: (f64, f64)) -> [Row; 2] {
        [(SQLITE, with), (NONE, without)].map(|(name, (requests_per_second, p50_us))| {
            let mut row = row(name, &[1.0]);
            row.connections = connections;
            row.samples[0].requests_per_second = requests_per_second;
            row.samples[0].p50_us = p50_us;
            row
        })
    }

    #[test]
    fn the_log_may_take_a_quarter_of_the_throughput() {
        let word = |with| share_at(&rows(64, (with, 1.0), (1000.0, 1.0)), 64).word();
        assert_eq!(word(751.0), "reached");
        assert_eq!(word(749.0), "missed");
    }

    #[test]
    fn an_append_may_add_one_fsync() {
        let word = |with| fsyncs(&rows(1, (1.0, with), (1.0, 100.0)), 400.0).word();
        assert_eq!(word(490.0), "reached");
        assert_eq!(word(510.0), "missed");
    }

    #[test]
    fn an_fsync_takes_time() {
        let folder = tempfile::tempdir().unwrap();
        assert!(time_fsync(folder.path()).unwrap() > 0.0);
    }
}
