//! A server in little memory, with hostile and large guests.
//!
//! - this file: [`run`], from the start of the server to the [`Report`].
//! - [`group`]: a control group with a memory limit.
//! - `watch.rs`: sampled memory, where no control group can be made.
//! - `guests.rs`: the large guests, and the clients.

pub mod group;
pub mod guests;
mod watch;

use std::fmt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use group::Group;
use guests::{Counts, Large};
use watch::Watcher;

use super::hostile::{GoodClient, put_guests};
use crate::client::Request;
use crate::concurrent::join;
use crate::functions::Folder;
use crate::operators::Operators;
use crate::random::Random;
use crate::{Setup, TestHost};

/// Memory limit and duration.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Limit of the server and all its children.
    pub limit_bytes: u64,
    /// Duration of the load.
    pub duration: Duration,
    /// Seed of the choices of hostile clients.
    pub seed: u64,
}

/// The figures of a run, and its violations.
#[derive(Debug)]
pub struct Report {
    /// Clients of the well-behaved function.
    pub good: GoodClient,
    /// Clients of large guests.
    pub large: Counts,
    /// Clients of hostile guests.
    pub hostile: Counts,
    /// Refused growths of guest memories.
    pub refused_growths: f64,
    /// The counters of rejected requests with their reasons.
    pub rejections: Vec<String>,
    /// Peak memory of the server and its children, in MiB.
    pub peak_mib: u64,
    /// Violations.
    pub violations: Vec<String>,
}

/// Time limit of compiling on a busy machine.
const COMPILE_TIME: Duration = Duration::from_mins(10);

/// Number of requests, one after the other, that an idle server must answer.
const IDLE_REQUESTS: usize = 50;

/// Runs a server within the limit, with hostile, large and well-behaved guests.
///
/// # Errors
///
/// Fails if no folder for compiled code can be made.
pub fn run(plan: &Plan) -> Result<Report, String> {
    let functions = Folder::new();
    put_guests(&functions);
    let large_guests = Large::all(&functions);
    let cache = tempfile::tempdir().map_err(|error| error.to_string())?;
    // Fills the cache: compiling is not part of the test.
    drop(setup(functions.path(), cache.path()).start_within(COMPILE_TIME));

    let group = Group::new(plan.limit_bytes);
    let setup = setup(functions.path(), cache.path());
    let host = match &group {
        Some(group) => group.contain(setup).start(),
        None => setup
            .flag("--max-total-memory", (plan.limit_bytes / 5 * 4).to_string())
            .start(),
    };
    let operators = Operators::of(&host);
    let watcher = Watcher::start(host.process_id());
    let (good, large, hostile) = send(plan, &host, &large_guests);
    let mut violations = Vec::new();
    violations.extend(check_idle(&host, &operators, &large_guests).err());
    let peak_bytes = watcher.stop();
    let metrics = operators.metrics();
    let rejections = rejections(metrics.text());
    if let Some(violation) = good.violation("next to hostile and large guests") {
        let log = logged(&host, &["memory limit exceeded"]);
        violations.push(format!("{violation}; log: {log}"));
    }
    if let Some(first) = &large.first_other {
        let count = large.other;
        let log = logged(&host, &["large", "script"]);
        violations.push(format!(
            "{count} requests to large guests: {first}; log: {log}"
        ));
    }
    match group.as_ref().map(Group::kills) {
        Some(0) => {}
        Some(kills) => violations.push(format!("the kernel killed {kills} processes")),
        None if peak_bytes <= plan.limit_bytes => {}
        None => violations.push(format!("the server had {} MiB", peak_bytes >> 20)),
    }
    Ok(Report {
        good,
        large,
        hostile,
        refused_growths: metrics
            .total("guest_memory_refusals_total")
            .unwrap_or_default(),
        rejections,
        peak_mib: peak_bytes >> 20,
        violations,
    })
}

/// The counters of rejected requests that are not zero, with their reasons.
fn rejections(metrics: &str) -> Vec<String> {
    let counters = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("component_runner_refusals_total"));
    counters
        .filter(|counter| !counter.ends_with(" 0"))
        .map(str::to_owned)
        .collect()
}

/// The last lines of the server's log that contain one of these names.
fn logged(host: &TestHost, names: &[&str]) -> String {
    const LINES: usize = 20;

    let text = host.log().text();
    let lines = text.lines().rev();
    let found = lines.filter(|line| names.iter().any(|name| line.contains(name)));
    let found: Vec<_> = found.take(LINES).collect();
    found.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// A server without an audit log, and with shorter timeouts, so that hostile guests end sooner. A
/// well-behaved guest has enough time on a busy machine.
fn setup(functions: &Path, cache: &Path) -> Setup {
    TestHost::serve_functions(functions)
        .cache(cache)
        .flag("--ops-addr", "127.0.0.1:0")
        .flag("--audit", "none")
        .flag("--request-timeout", "10")
        .flag("--response-idle-timeout", "10")
        .flag("--cpu-timeout", "0.2")
        .flag("--write-timeout", "1")
        .flag("--compile-timeout", "600")
}

/// Runs all clients at the same time.
fn send(plan: &Plan, host: &TestHost, large: &[Large]) -> (GoodClient, Counts, Counts) {
    const GOOD_CLIENTS: usize = 2;
    const HOSTILE_CLIENTS: u64 = 16;

    let address = host.address();
    let end = Instant::now() + plan.duration;
    thread::scope(|scope| {
        let good = (0..GOOD_CLIENTS)
            .map(|_| scope.spawn(move || GoodClient::send_until(address, || Instant::now() >= end)))
            .collect();
        let large = large
            .iter()
            .map(|guest| scope.spawn(move || guest.send_bursts(address, end)))
            .collect();
        let hostile = (0..HOSTILE_CLIENTS)
            .map(|client| {
                let random = Random::new(plan.seed.wrapping_add(client));
                scope.spawn(move || guests::send_hostile(address, random, end))
            })
            .collect();
        let good = GoodClient::sum(join(good));
        (good, Counts::sum(join(large)), Counts::sum(join(hostile)))
    })
}

/// Waits until no guest is left, and checks that each request is answered then.
fn check_idle(host: &TestHost, operators: &Operators, large: &[Large]) -> Result<(), String> {
    operators.wait_until_zero(&["instances", "requests_queued"])?;
    for number in 0..IDLE_REQUESTS {
        let small = ["/good/good", "/hostile/good"].map(|path| Request::new("GET", path));
        let large = large.iter().map(|guest| guest.request().clone());
        for request in small.into_iter().chain(large) {
            let response = host.send(&request);
            if response.status != 200 {
                return Err(format!("request {number} to the idle server: {response:?}"));
            }
        }
    }
    let ready = operators.get("/readyz").status;
    if ready == 200 {
        Ok(())
    } else {
        Err(format!("the idle server is not ready: {ready}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            good,
            large,
            hostile,
            refused_growths,
            rejections,
            peak_mib,
            ..
        } = self;
        writeln!(
            f,
            "well-behaved: {} answered, {} lost, p99 {:.1} ms",
            good.times.len(),
            good.losses.len(),
            good.p99().as_secs_f64() * 1e3
        )?;
        writeln!(f, "large: {large}")?;
        writeln!(f, "hostile: {hostile}")?;
        writeln!(f, "rejected: {}", rejections.join(", "))?;
        write!(
            f,
            "{refused_growths} growths refused; peak {peak_mib} MiB of anonymous and shared memory"
        )
    }
}
