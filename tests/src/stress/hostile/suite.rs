//! Every hostile guest many times, with the memory of the server before and after.

use std::time::{Duration, Instant};

use super::{Behaviour, GoodClient, MAX_CONCURRENCY, Repeat, Server, table};

/// Time for which the well-behaved client is measured on an idle server.
const QUIET_TIME: Duration = Duration::from_secs(10);

/// Runs of each guest before the memory is measured the first time.
const WARM_UP_RUNS: usize = 200;

/// The guest that allocates as much memory as it may, and waits. Each slot of the pool keeps a
/// part of it.
const HOLD: &str = "hold-memory";

/// All slots have been used when the memory grew by less than this percentage in each of this
/// number of rounds.
const FULL_PERCENT: u64 = 1;
const FULL_ROUNDS: usize = 4;

/// Number of rounds after which growth counts as a leak.
const MAX_ROUNDS: usize = 40;

/// Allowed growth of the memory from before to after, in percent.
const KEPT_PERCENT: u64 = 5;

/// Number and rate of the runs.
#[derive(Debug)]
pub struct Options {
    /// Runs of each guest.
    pub runs: usize,
    /// Maximum number of runs at the same time.
    pub at_once: usize,
    /// Runs that start per second.
    pub per_second: u32,
    /// The only guest to run.
    pub only: Option<String>,
}

/// Runs all hostile guests, and prints a line for each.
///
/// # Errors
///
/// Returns lost requests, answers that are not allowed, pools that stay in use, and memory that
/// the server kept.
pub fn run(options: &Options) -> Result<String, String> {
    let is_chosen = |behaviour: &&Behaviour| {
        let only = options.only.as_ref();
        only.is_none_or(|name| name == behaviour.name)
    };
    let behaviours: Vec<_> = table().iter().filter(is_chosen).copied().collect();
    if behaviours.is_empty() {
        return Err("unknown guest".to_owned());
    }
    let server = Server::start(1);
    let repeat = Repeat {
        address: server.address(),
        runs: options.runs,
        at_once: options.at_once,
        pause: Duration::from_secs(1) / options.per_second,
    };
    let warm_up = Repeat {
        runs: WARM_UP_RUNS.min(options.runs),
        at_once: MAX_CONCURRENCY,
        pause: Duration::ZERO,
        ..repeat
    };

    // What a server allocates once for this concurrency, it may keep.
    let mut violations = fill(&server, &warm_up)?;
    for behaviour in &behaviours {
        let (outcome, _) = warm_up.next_to_good(1, || warm_up.run(&[*behaviour]));
        violations.extend(outcome.unexpected);
    }
    server.wait_until_idle()?;
    let (quiet, before_kib) = measure_idle(&server);
    violations.extend(quiet.violation("before any hostile guest"));
    for behaviour in &behaviours {
        let start = Instant::now();
        let (outcome, good) = repeat.next_to_good(1, || repeat.run(&[*behaviour]));
        let idle = server.wait_until_idle();
        let resident_kib = server.resident_kib();
        print_row(behaviour, start.elapsed(), &quiet, &good, resident_kib);
        violations.extend(outcome.unexpected);
        violations.extend(good.violation(&format!("next to `{}`", behaviour.name)));
        violations.extend(idle.err());
    }

    let (quiet, after_kib) = measure_idle(&server);
    violations.extend(quiet.violation("after all hostile guests"));
    if let (Some(before), Some(after)) = (before_kib, after_kib) {
        println!("memory: {before} KiB before, {after} KiB after");
        if after > before + before * KEPT_PERCENT / 100 {
            violations.push(format!("the server kept {} KiB", after - before));
        }
    }
    if violations.is_empty() {
        return Ok("no request was lost, and all pools are empty".to_owned());
    }
    violations.sort();
    violations.dedup();
    Err(violations.join("\n"))
}

/// Measures the well-behaved guest without any other load, while the server returns memory that
/// it does not need. Returns that, and the memory of the server afterwards.
fn measure_idle(server: &Server) -> (GoodClient, Option<u64>) {
    let start = Instant::now();
    let quiet = GoodClient::send_until(server.address(), || start.elapsed() >= QUIET_TIME);
    println!(
        "idle server: p99 of the well-behaved client {:?}",
        quiet.p99()
    );
    (quiet, server.resident_kib())
}

/// Lets memory-hungry guests use all slots of the pool, until no slot keeps more.
fn fill(server: &Server, warm_up: &Repeat) -> Result<Vec<String>, String> {
    let hold = table().iter().find(|behaviour| behaviour.name == HOLD);
    let hold = hold.copied().ok_or("no guest holds memory")?;
    let mut unexpected = Vec::new();
    let Some(mut known) = server.resident_kib() else {
        return Ok(unexpected);
    };
    let mut full = 0;
    for _ in 0..MAX_ROUNDS {
        let outcome = warm_up.run(&[hold]);
        server.wait_until_idle()?;
        unexpected.extend(outcome.unexpected);
        let now = server.resident_kib().unwrap_or_default();
        println!("filling the pool: {now} KiB");
        full = if now > known + known * FULL_PERCENT / 100 {
            0
        } else {
            full + 1
        };
        if full == FULL_ROUNDS {
            return Ok(unexpected);
        }
        known = now;
    }
    Err(format!(
        "memory still grows after {MAX_ROUNDS} rounds: {known} KiB"
    ))
}

fn print_row(
    behaviour: &Behaviour,
    took: Duration,
    quiet: &GoodClient,
    good: &GoodClient,
    resident_kib: Option<u64>,
) {
    let Behaviour {
        wasi,
        name,
        client,
        limit,
        ..
    } = behaviour;
    let ratio = good.p99().as_secs_f64() / quiet.p99().as_secs_f64();
    println!(
        "{wasi:4} {name:24} {client:10} {:6.1} s  {:7} good, {:3} lost, p99 {:8.3} ms, {ratio:5.2} times, \
         {:7} KiB  {limit}",
        took.as_secs_f64(),
        good.times.len(),
        good.losses.len(),
        good.p99().as_secs_f64() * 1e3,
        resident_kib.unwrap_or_default(),
        wasi = format!("{wasi:?}"),
        client = format!("{client:?}"),
    );
}
