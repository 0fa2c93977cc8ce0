//! The cost of the audit log: the same service with a durable log, and without.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result};

use super::message;
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::{Summary, figure, range};
use crate::measure::{Bench, Target, named};
use crate::programs::part;
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::Server;
use crate::servers::folder::Folder;

const STEPS: [u32; 4] = [1, 8, 64, 256];

/// The logs, by their names and locations.
const LOGS: [(&str, &str); 3] = [
    (NO_LOG, "none"),
    ("jsonl", "jsonl:audit.jsonl"),
    (SQLITE, "sqlite:audit.db"),
];
const NO_LOG: &str = "no log";
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
    let folder = Folder::new("audit")?;
    let mut targets = Vec::new();
    for connections in STEPS {
        for (log, location) in LOGS {
            let server = Server::ours(&bench.programs, &["--audit", location]);
            let server = server.serving(&component).within(&folder);
            let target = Target::new(name(connections, log), server, &message());
            targets.push(target.on(connections));
        }
    }
    let before = time_fsync(&folder)?;
    bench.load(&mut targets);
    let fsync_us = f64::midpoint(before, time_fsync(&folder)?);

    let table = Table::new(
        "connections, log",
        &targets,
        &[
            ("requests/s: min / median / max", &|t| {
                t.range("requests_per_second")
            }),
            ("over those without", &|t| range(share(&targets, t))),
            ("CPU per request, µs", &|t| t.median("cpu_us")),
            ("p50, µs", &|t| t.median("p50_us")),
            ("p99, µs", &|t| t.median("p99_us")),
        ],
    );
    let about = format!(
        "`app.wasm`, which appends one entry per request and answers after its receipt, with a \
         durable log and without. With a log, requests/s are durable appends/s as well. Appending \
         {FSYNC_BYTES} bytes to a file and calling `fdatasync` takes {} µs here (median of {}, \
         half of them before the measurement and half after it).",
        figure(fsync_us),
        2 * TIMED_FSYNCS
    );
    Ok(Report {
        verdicts: vec![share_at(&targets, COMPARED), fsyncs(&targets, fsync_us)],
        ..Report::new("audit", about, bench.turns, table, &targets)?
    })
}

fn name(connections: u32, log: &str) -> String {
    format!("{connections}, {log}")
}

/// The median time of an fsync in `folder`, in microseconds.
fn time_fsync(folder: &Folder) -> Result<f64> {
    let path = folder.path().join("fsync");
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

/// Throughput over that without a log.
fn share(targets: &[Target], target: &Target) -> Option<Summary> {
    let without = named(targets, &name(target.connections, NO_LOG))?;
    target.over(without, "requests_per_second")
}

/// Throughput with the durable log over that without.
fn share_at(targets: &[Target], connections: u32) -> Verdict {
    let with = named(targets, &name(connections, SQLITE));
    let share = with.and_then(|with| share(targets, with));
    let what = format!("throughput with the log over that without, at {connections} connections");
    Verdict::new(what, "×", Limit::AtLeast(OF_THROUGHPUT), share)
}

/// Latency that the log adds to a single request, in fsyncs.
fn fsyncs(targets: &[Target], fsync_us: f64) -> Verdict {
    let [with, without] = [SQLITE, NO_LOG].map(|log| named(targets, &name(1, log)));
    let added = with.zip(without).and_then(|(with, without)| {
        with.paired(without, |with, without| {
            Some((with.get("p50_us")? - without.get("p50_us")?) / fsync_us)
        })
    });
    let what = "fsyncs that an append adds to the median latency at 1 connection";
    Verdict::new(what, "fsyncs", Limit::AtMost(FSYNCS), added)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::target;

    fn targets(connections: u32, key: &str, with: f64, without: f64) -> [Target; 2] {
        [(SQLITE, with), (NO_LOG, without)]
            .map(|(log, figure)| target(&name(connections, log), &[(key, &[figure])]))
            .map(|target| target.on(connections))
    }

    #[test]
    fn the_log_may_take_a_quarter_of_the_throughput() {
        let targets = |with| targets(64, "requests_per_second", with, 1000.0);
        assert_eq!(share_at(&targets(751.0), 64).word(), "reached");
        assert_eq!(share_at(&targets(749.0), 64).word(), "missed");
    }

    #[test]
    fn an_append_may_add_one_fsync() {
        let targets = |with| targets(1, "p50_us", with, 100.0);
        assert_eq!(fsyncs(&targets(490.0), 400.0).word(), "reached");
        assert_eq!(fsyncs(&targets(510.0), 400.0).word(), "missed");
    }

    #[test]
    fn an_fsync_takes_time() {
        let folder = Folder::new("fsync-of-a-test").unwrap();
        assert!(time_fsync(&folder).unwrap() > 0.0);
    }
}
