//! Keeps a server at a share of its capacity for minutes, with a mix of requests, and verifies that
//! its memory and file descriptors do not grow.
//!
//! - this file: [`run`], from the start of the server to the verification of its log.
//! - `mix.rs`: the requests, and the expected answers.
//! - `clients.rs`: the clients, each of which repeats one kind of exchange.
//! - `streams.rs`: the clients over HTTP/2.
//! - `watch.rs`: memory and file descriptors of the server.
//! - `report.rs`: the figures, and the violations.
//!
//! It needs `/proc` of Linux.

mod clients;
mod mix;
pub mod report;
mod streams;
pub mod watch;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use audit_log::read::{Reader, Start};

use crate::artifacts;
use crate::audit::{Kind, is_entry};
use crate::process::Process;
use crate::random::Random;
use crate::test_host::TestHost;
use clients::{Pace, Tally};
use report::Report;
use watch::{Sample, Watched};

/// Load and duration.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Duration of the load.
    pub duration: Duration,
    /// Share of the capacity, which is measured first.
    pub share: f64,
    /// Seed of all random choices.
    pub seed: u64,
}

/// Number of clients that send one request after the other, each on its own connection.
const STEADY: u32 = 32;

/// Numbers of clients that send slowly, that use HTTP/2, and that disconnect without an answer.
const SLOW: u32 = 4;
const HTTP2: u32 = 2;
const DISCONNECTING: u32 = 2;

/// Duration of the measurement of the capacity.
const MEASUREMENT: Duration = Duration::from_secs(5);

/// Timeout until the server has closed the connections of all clients.
const REST_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs the load, and calls `progress` with each sample.
///
/// # Errors
///
/// Fails if the server cannot be sampled, or its log not be read.
pub fn run(plan: &Plan, mut progress: impl FnMut(&Sample)) -> Result<Report, String> {
    let folder = tempfile::tempdir_in(artifacts::target()).expect("a folder");
    let location = Kind::Sqlite.location(folder.path());
    let mut host = TestHost::serve(artifacts::component("app"))
        .flag("--audit", location.to_string())
        .start();
    let mut random = Random::new(plan.seed);
    let (pid, address) = (host.process_id(), host.address());

    let capacity = load(address, Pace::Unlimited, MEASUREMENT, &mut random, |_| ());
    let per_second = capacity.paced_per_second(MEASUREMENT);
    let empty = wait_for_rest(pid)?;
    let pace = Pace::PerSecond(per_second * plan.share / f64::from(STEADY));
    let mut watched = Watched::default();
    let tally = load(address, pace, plan.duration, &mut random, |since| {
        if let Ok(sample) = Sample::take(pid, since) {
            watched.samples.push(sample);
            progress(&sample);
        }
    });
    let after = wait_for_rest(pid)?;

    let status = host.terminate();
    let mut report = Report {
        capacity_per_second: per_second,
        offered_per_second: per_second * plan.share,
        duration: plan.duration,
        watched,
        descriptors_before: empty.descriptors,
        descriptors_after: after.descriptors,
        audited: capacity.audited + tally.audited,
        abandoned: capacity.abandoned + tally.abandoned,
        records: count_entries(&location)?,
        tally,
        violations: Vec::new(),
    };
    if status.code() != Some(0) {
        report
            .violations
            .push(format!("the server ended with {status}"));
    }
    report.violations.extend(capacity.first_errors);
    report.violations.extend(verify(folder.path()).err());
    report.judge();
    Ok(report)
}

/// Runs all clients for a while, and calls `each_second`.
fn load(
    address: SocketAddr,
    pace: Pace,
    duration: Duration,
    random: &mut Random,
    mut each_second: impl FnMut(Duration),
) -> Tally {
    let begin = Instant::now();
    let end = begin + duration;
    thread::scope(|scope| {
        let mut all = Vec::new();
        for index in 0..STEADY {
            let random = random.fork();
            let pace = pace.staggered(begin, index, STEADY);
            all.push(scope.spawn(move || clients::steady(address, pace, end, random)));
        }
        for _ in 0..SLOW {
            let random = random.fork();
            all.push(scope.spawn(move || clients::slow(address, end, random)));
        }
        for _ in 0..HTTP2 {
            let random = random.fork();
            all.push(scope.spawn(move || streams::send_groups(address, end, random)));
        }
        for _ in 0..DISCONNECTING {
            let random = random.fork();
            all.push(scope.spawn(move || clients::disconnect(address, end, random)));
        }
        let mut next = begin + Duration::from_secs(1);
        while next <= end {
            sleep(next.saturating_duration_since(Instant::now()));
            each_second(begin.elapsed());
            next += Duration::from_secs(1);
        }
        let mut tally = Tally::default();
        for client in all {
            match client.join() {
                Ok(one) => tally.add(one),
                Err(_) => tally.fail("a client timed out and panicked".to_owned()),
            }
        }
        tally
    })
}

/// Waits until the number of file descriptors no longer falls while the server closes the
/// connections of its clients.
fn wait_for_rest(pid: u32) -> Result<Sample, String> {
    let begin = Instant::now();
    let mut before = Sample::take(pid, Duration::ZERO)?;
    loop {
        sleep(Duration::from_millis(500));
        let now = Sample::take(pid, Duration::ZERO)?;
        if now.descriptors >= before.descriptors || begin.elapsed() > REST_TIMEOUT {
            return Ok(now);
        }
        before = now;
    }
}

/// Verifies the log with `audit verify`.
fn verify(folder: &Path) -> Result<(), String> {
    let mut command = Command::new(artifacts::program("component-runner"));
    let location = Kind::Sqlite.location(folder);
    command.args(["audit", "verify", "--audit", &location.to_string()]);
    let mut verifying = Process::start(&mut command);
    let status = verifying.wait_without_deadline();
    if status.code() == Some(0) {
        return Ok(());
    }
    let (stdout, stderr) = (verifying.stdout.text(), verifying.stderr.text());
    Err(format!("the audit log is not valid:\n{stdout}{stderr}"))
}

/// Number of entries of guests in a log.
fn count_entries(location: &audit_log::Location) -> Result<u64, String> {
    let mut reader = Reader::open(location, Start::First).map_err(|error| error.to_string())?;
    let mut count = 0;
    while let Some(line) = reader.next().map_err(|error| error.to_string())? {
        count += u64::from(is_entry(line.bytes));
    }
    Ok(count)
}
