//! Runs every hostile guest many times beside a good one: `make hostile`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use end_to_end::hostile::{Behaviour, Campaign, GoodClient, MAX_CONCURRENCY, Server, table};

/// How long the good client is timed on the quiet server.
const QUIET_TIME: Duration = Duration::from_secs(10);

/// How often each guest runs before the memory of the server is looked at the first time.
const WARM_UP_RUNS: usize = 200;

/// Takes all the memory that it gets, and waits. Each place of the pool keeps some of that.
const HOLD: &str = "hold-memory";

/// All places have been in use when the memory has grown by less than so many percent in
/// so many rounds, one after the other.
const FULL_PERCENT: u64 = 1;
const FULL_ROUNDS: usize = 4;

/// What grows for longer does not only keep: it leaks.
const MAX_ROUNDS: usize = 40;

/// How much more memory the server may have afterwards, in percent.
const KEPT_PERCENT: u64 = 5;

/// Runs every hostile guest many times beside a good one
#[derive(Parser)]
struct Flags {
    /// How often each of them runs
    #[arg(long, default_value = "1000")]
    runs: NonZeroUsize,

    /// How many of them run at once
    #[arg(long, default_value = "16")]
    at_once: NonZeroUsize,

    /// How many of them begin in a second: more than a server can answer are another
    /// matter, which the series `overload` of the benchmark looks at
    #[arg(long, default_value = "100")]
    per_second: NonZeroU32,

    /// Only the guest of this name
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

fn main() -> ExitCode {
    match run(&Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: &Flags) -> Result<(), String> {
    let wanted = |behaviour: &&Behaviour| {
        flags
            .only
            .as_ref()
            .is_none_or(|name| name == behaviour.name)
    };
    let behaviours: Vec<_> = table().iter().filter(wanted).copied().collect();
    if behaviours.is_empty() {
        return Err("no guest has this name".to_owned());
    }
    let server = Server::start(1);
    let campaign = |runs| Campaign {
        address: server.address(),
        runs,
        at_once: flags.at_once.get(),
        pause: Duration::from_secs(1) / flags.per_second.get(),
    };
    let warm_up = Campaign {
        runs: WARM_UP_RUNS.min(flags.runs.get()),
        at_once: MAX_CONCURRENCY,
        pause: Duration::ZERO,
        ..campaign(0)
    };
    let runs = flags.runs.get();

    // What a server takes once for so many at a time, it may keep.
    let mut failures = fill(&server, &warm_up)?;
    // Each beside a good one, as later.
    for behaviour in &behaviours {
        let (outcome, _) = warm_up.beside_good(1, || warm_up.run(&[*behaviour]));
        failures.extend(outcome.surprises);
    }
    server.wait_until_idle()?;
    let (quiet, before_kib) = rest(&server);
    failures.extend(losses("the quiet server", &quiet));
    for behaviour in &behaviours {
        let start = Instant::now();
        let (outcome, good) = campaign(runs).beside_good(1, || campaign(runs).run(&[*behaviour]));
        let idle = server.wait_until_idle();
        row(
            behaviour,
            start.elapsed(),
            &quiet,
            &good,
            server.resident_kib(),
        );
        failures.extend(outcome.surprises);
        failures.extend(losses(behaviour.name, &good));
        failures.extend(idle.err());
    }

    let (quiet, after_kib) = rest(&server);
    failures.extend(losses("the server when it was quiet again", &quiet));
    if let (Some(before), Some(after)) = (before_kib, after_kib) {
        println!("memory: {before} KiB before, {after} KiB after");
        if after > before + before * KEPT_PERCENT / 100 {
            failures.push(format!("the server kept {} KiB", after - before));
        }
    }
    if failures.is_empty() {
        println!("no request was lost, and all pools are empty");
        Ok(())
    } else {
        failures.sort();
        failures.dedup();
        Err(failures.join("\n"))
    }
}

/// Asks the good guest for a while, with nobody else there, in which the server gives back
/// what it does not need. Returns what its client saw, and the memory of the server.
fn rest(server: &Server) -> (GoodClient, Option<u64>) {
    let start = Instant::now();
    let quiet = GoodClient::ask_until(server.address(), || start.elapsed() >= QUIET_TIME);
    println!("quiet: p99 of a good client {:?}", quiet.p99());
    (quiet, server.resident_kib())
}

/// Lets memory-hungry guests have all places of the pool, until no place keeps more.
fn fill(server: &Server, warm_up: &Campaign) -> Result<Vec<String>, String> {
    let hold = table().iter().find(|behaviour| behaviour.name == HOLD);
    let hold = hold.copied().ok_or("no guest holds memory")?;
    let mut surprises = Vec::new();
    let Some(mut known) = server.resident_kib() else {
        return Ok(surprises);
    };
    let mut full = 0;
    for _ in 0..MAX_ROUNDS {
        surprises.extend(warm_up.run(&[hold]).surprises);
        server.wait_until_idle()?;
        let now = server.resident_kib().unwrap_or_default();
        println!("filling the pool: {now} KiB");
        full = if now > known + known * FULL_PERCENT / 100 {
            0
        } else {
            full + 1
        };
        if full == FULL_ROUNDS {
            return Ok(surprises);
        }
        known = now;
    }
    Err(format!(
        "memory still grows after {MAX_ROUNDS} rounds: {known} KiB"
    ))
}

fn row(
    behaviour: &Behaviour,
    took: Duration,
    quiet: &GoodClient,
    good: &GoodClient,
    resident_kib: Option<u64>,
) {
    let Behaviour {
        name,
        client,
        limit,
        ..
    } = behaviour;
    let ratio = good.p99().as_secs_f64() / quiet.p99().as_secs_f64();
    println!(
        "{name:24} {client:10} {:6.1} s  {:7} good, {:3} lost, p99 {:8.3} ms, {ratio:5.2} times, \
         {:7} KiB  {limit}",
        took.as_secs_f64(),
        good.times.len(),
        good.losses.len(),
        good.p99().as_secs_f64() * 1e3,
        resident_kib.unwrap_or_default(),
        client = format!("{client:?}"),
    );
}

fn losses(beside: &str, good: &GoodClient) -> Option<String> {
    let first = good.losses.first()?;
    let count = good.losses.len();
    Some(format!(
        "a good client lost {count} requests beside {beside}: {first}"
    ))
}
