//! Keeps a server at a share of what it can do, for a while, with all kinds of
//! requests, and looks whether it stays as it is.
//!
//! - this file: [`run`], from the start of the server to the check of its log.
//! - `mix.rs`: the requests, and what has to come back.
//! - `clients.rs`: the clients, each of which does one thing over and over.
//! - `streams.rs`: those of them that speak HTTP/2.
//! - `watch.rs`: the memory and the file descriptors of the server.
//! - `report.rs`: what was seen, and what of it must not be.
//!
//! It needs the `/proc` of Linux.

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
use crate::audit::Kind;
use crate::process::Process;
use crate::random::Random;
use crate::test_host::TestHost;
use clients::{Pace, Tally};
use report::Report;
use watch::{Sample, Watched};

/// What is done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How long the load lasts.
    pub duration: Duration,
    /// The share of what the server can do, which is measured first.
    pub share: f64,
    /// What all choices come from.
    pub seed: u64,
}

/// How many clients send one request after the other on a connection of their own.
const STEADY: u32 = 32;

/// How many send and read slowly, how many speak HTTP/2, and how many leave before
/// they are answered.
const SLOW: u32 = 4;
const HTTP2: u32 = 2;
const LEAVING: u32 = 2;

/// For how long it is measured what the server can do.
const MEASURED: Duration = Duration::from_secs(5);

/// How long it may take until nothing is left of clients that have gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Goes through all of it, and calls `progress` with each sample.
///
/// # Errors
///
/// Fails if nothing could be measured: the server does not start, or does not run.
pub fn run(plan: &Plan, mut progress: impl FnMut(&Sample)) -> Result<Report, String> {
    let folder = tempfile::tempdir_in(artifacts::target()).expect("a folder");
    let location = Kind::Sqlite.location(folder.path());
    let mut host = TestHost::serve(artifacts::component("app"))
        .flag("--audit", location.to_string())
        .start();
    let mut random = Random::new(plan.seed);
    let (pid, address) = (host.process_id(), host.address());

    let capacity = load(address, Pace::AsFastAsItGoes, MEASURED, &mut random, |_| ());
    let per_second = capacity.paced_per_second(MEASURED);
    let empty = wait_for_rest(pid)?;
    let pace = Pace::PerSecond(per_second * plan.share / f64::from(STEADY));
    let mut watched = Watched::default();
    let tally = load(address, pace, plan.duration, &mut random, |since| {
        if let Ok(sample) = Sample::take(pid, since) {
            watched.samples.push(sample);
            progress(&sample);
        }
    });
    let left = wait_for_rest(pid)?;

    let status = host.terminate();
    let mut report = Report {
        capacity_per_second: per_second,
        offered_per_second: per_second * plan.share,
        duration: plan.duration,
        watched,
        descriptors_before: empty.descriptors,
        descriptors_after: left.descriptors,
        audited_at_least: capacity.audited + tally.audited,
        left_at_most: capacity.left + tally.left,
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

/// Lets all clients work for a while, and calls `each_second`.
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
            let random = Random::new(random.number());
            let pace = pace.beginning(begin, index, STEADY);
            all.push(scope.spawn(move || clients::steady(address, pace, end, random)));
        }
        for _ in 0..SLOW {
            let random = Random::new(random.number());
            all.push(scope.spawn(move || clients::slow(address, end, random)));
        }
        for _ in 0..HTTP2 {
            let random = Random::new(random.number());
            all.push(scope.spawn(move || streams::several(address, end, random)));
        }
        for _ in 0..LEAVING {
            let random = Random::new(random.number());
            all.push(scope.spawn(move || clients::leaving(address, end, random)));
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
                Err(_) => tally.fail("a client waited in vain, and panicked".to_owned()),
            }
        }
        tally
    })
}

/// Waits until the number of file descriptors no longer falls, which it does as the
/// server sees that its clients have gone.
fn wait_for_rest(pid: u32) -> Result<Sample, String> {
    let begin = Instant::now();
    let mut before = Sample::take(pid, Duration::ZERO)?;
    loop {
        sleep(Duration::from_millis(500));
        let now = Sample::take(pid, Duration::ZERO)?;
        if now.descriptors >= before.descriptors || begin.elapsed() > PATIENCE {
            return Ok(now);
        }
        before = now;
    }
}

/// Lets the program check the log, as an auditor does.
fn verify(folder: &Path) -> Result<(), String> {
    let mut command = Command::new(artifacts::program("component-runner"));
    let location = Kind::Sqlite.location(folder);
    command.args(["audit", "verify", "--audit", &location.to_string()]);
    let mut verifying = Process::start(&mut command);
    let status = verifying.wait_however_long();
    if status.code() == Some(0) {
        return Ok(());
    }
    let (said, error) = (verifying.stdout.text(), verifying.stderr.text());
    Err(format!("the audit log is not in order:\n{said}{error}"))
}

/// How many entries of guests a log has.
fn count_entries(location: &audit_log::Location) -> Result<u64, String> {
    let mut reader = Reader::open(location, Start::First).map_err(|error| error.to_string())?;
    let mut count = 0;
    while let Some(line) = reader.next().map_err(|error| error.to_string())? {
        let is_entry = line.bytes.windows(10).any(|part| part == b"},\"guest\":");
        count += u64::from(is_entry);
    }
    Ok(count)
}
