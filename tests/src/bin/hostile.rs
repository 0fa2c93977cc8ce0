//! Runs every hostile guest many times beside a good one: `make hostile`.

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use end_to_end::hostile::{Behaviour, Campaign, GoodClient, Server, table};

const USAGE: &str = "usage: hostile [--runs N] [--at-once N] [--only NAME]";

/// How many requests of the good client are timed on the quiet server.
const QUIET_REQUESTS: usize = 5000;

/// How often each guest runs before the memory of the server is looked at the first time.
const WARM_UP_RUNS: usize = 50;

/// How much more memory the server may have afterwards, in percent.
const KEPT_PERCENT: u64 = 5;

struct Plan {
    runs: usize,
    at_once: usize,
    only: Option<String>,
}

fn main() -> ExitCode {
    let plan = match plan(env::args().skip(1)) {
        Ok(plan) => plan,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    match run(&plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// What the flags ask for.
fn plan(mut args: impl Iterator<Item = String>) -> Result<Plan, String> {
    let mut plan = Plan {
        runs: 1000,
        at_once: 16,
        only: None,
    };
    while let Some(flag) = args.next() {
        let value = args
            .next()
            .ok_or_else(|| format!("`{flag}` has no value"))?;
        let number = || match value.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("expected a number after `{flag}`, found `{value}`")),
        };
        match flag.as_str() {
            "--runs" => plan.runs = number()?,
            "--at-once" => plan.at_once = number()?,
            "--only" => plan.only = Some(value),
            _ => return Err(format!("`{flag}` is no flag")),
        }
    }
    Ok(plan)
}

fn run(plan: &Plan) -> Result<(), String> {
    let wanted =
        |behaviour: &&Behaviour| plan.only.as_ref().is_none_or(|name| name == behaviour.name);
    let behaviours: Vec<_> = table().iter().filter(wanted).copied().collect();
    if behaviours.is_empty() {
        return Err("no guest has this name".to_owned());
    }
    let server = Server::start();
    let campaign = |runs| Campaign {
        address: server.address(),
        runs,
        at_once: plan.at_once,
    };

    let warm_up = campaign(WARM_UP_RUNS.min(plan.runs)).run(&behaviours);
    server.wait_until_idle()?;
    let mut asked = 0;
    let quiet = GoodClient::ask_until(server.address(), || {
        asked += 1;
        asked >= QUIET_REQUESTS
    });
    let before_kib = server.resident_kib();
    println!("quiet: p99 of a good client {:?}", quiet.p99());

    let mut failures = warm_up.surprises;
    failures.extend(losses("the quiet server", &quiet));
    for behaviour in &behaviours {
        let start = Instant::now();
        let (outcome, good) =
            campaign(plan.runs).beside_good(1, || campaign(plan.runs).run(&[*behaviour]));
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

    if let (Some(before), Some(after)) = (before_kib, server.resident_kib()) {
        println!("memory: {before} KiB before, {after} KiB after");
        if after > before + before * KEPT_PERCENT / 100 {
            failures.push(format!("the server kept {} KiB", after - before));
        }
    }
    if failures.is_empty() {
        println!("no request was lost, and all pools are empty");
        Ok(())
    } else {
        failures.dedup();
        Err(failures.join("\n"))
    }
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
        "{name:24} {client:10} {:6.1} s  {:7} good, p99 {:8.3} ms, {ratio:5.2} times, \
         {:7} KiB  {limit}",
        took.as_secs_f64(),
        good.times.len(),
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
