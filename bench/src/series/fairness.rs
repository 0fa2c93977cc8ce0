//! Well-behaved functions next to others that spin, leak, flood or are overloaded, in one server.

use std::fs;
use std::net::SocketAddr;
use std::thread::{self, available_parallelism};
use std::time::Duration;

use anyhow::{Context, Result};

use super::OURS;
use super::interference::{self, GOOD_CLIENTS, Scenario};
use super::overload::{COST, TIMES, calibrate};
use crate::functions::{Folder, cold};
use crate::load::crowd::{self, Outcome};
use crate::load::endless;
use crate::load::job::Job;
use crate::load::paced::percentile;
use crate::measure::Bench;
use crate::report::Report;
use crate::servers::programs::guest;
use crate::servers::running::Running;

/// Number of well-behaved functions.
const GOOD: usize = 96;

/// Length of a turn in ordinary turns: the server's timeouts need time to expire.
const LONGER: u32 = 6;

/// Index of the overloaded function.
const OVERLOADED: usize = 3;

/// Name of the same load on another process.
const ON_ANOTHER: &str = "one with 10 times its load, in a process of its own";

/// Load on a badly behaved function.
#[derive(Debug, Clone)]
enum Load {
    /// Requests that never end, of this number of clients at once.
    Endless { path: String, clients: usize },
    /// Its job at this rate per second, which is more than it can answer.
    Overloaded { job: Job, rate: f64 },
}

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let programs = &bench.programs;
    let guest = guest("cpu_burn")?;
    let component =
        fs::read(&guest).with_context(|| format!("cannot read `{}`", guest.display()))?;
    let processors = available_parallelism().map_or(1, usize::from);
    let heavy = calibrate(&programs.ours(&[]).serving(&guest))?;
    let bad = bad(processors, heavy);

    let folder = Folder::new("fairness")?;
    let good: Vec<String> = (0..GOOD)
        .map(|number| format!("good-{number:02}"))
        .collect();
    let names = bad.iter().map(|(name, ..)| (*name).to_owned());
    let names: Vec<String> = names.chain(good.iter().cloned()).collect();
    folder.put_functions("functions", &names, &component)?;
    let server = programs.functions(&folder, "functions", &[]);
    let job = Job::good().below(good.iter().map(|name| format!("/{name}")));
    // It compiles all of them, before the first turn.
    cold::start(&server, names.len(), &job, &folder)?;

    let alone = Scenario::alone(OURS, server.clone(), job);
    let mut scenarios = Vec::new();
    for (_, what, bad) in &bad {
        let bad = bad.clone();
        scenarios.push(alone.next_to(*what, move |addr, duration| bad.run(addr, duration)));
    }
    let all: Vec<Load> = bad.iter().map(|(.., bad)| bad.clone()).collect();
    let (overload, another) = (bad[OVERLOADED].2.clone(), server);
    let on_another = move |_: SocketAddr, duration| {
        let running = Running::start(&another)?;
        overload.run(running.addr, duration)
    };
    scenarios.push(alone.next_to(ON_ANOTHER, on_another).without_goals());
    scenarios.push(alone.next_to("all of them", move |addr, duration| {
        run_together(&all, addr, duration)
    }));
    scenarios.insert(0, alone);

    let about = format!(
        "One server with {} functions, all of them `cpu-burn`, each with its own bytes and \
         compiled code, with default limits. {GOOD_CLIENTS} well-behaved clients send a request \
         every 10 ms each, to {GOOD} of the functions in turn, and wait for the answer: first \
         alone, then next to clients of another function, from the same machine, that start at \
         the same time. It spins, allocates all memory that it may have, or prints without end, \
         each for {processors} clients at once; or it computes for about {} ms and gets {TIMES} \
         times as many requests as all processors could answer. For comparison, the same load \
         runs on another process, which shares nothing with the well-behaved functions but the \
         machine. Finally all four run together. The load generator needs a part of the same \
         processors.",
        names.len(),
        COST.as_millis()
    );
    let seconds = bench.turns.seconds * LONGER;
    interference::run(bench, "fairness", about, &scenarios, seconds)
}

/// The badly behaved functions: name, description, and load.
fn bad(processors: usize, heavy: Job) -> [(&'static str, &'static str, Load); 4] {
    let endless = |path: &str| Load::Endless {
        path: path.to_owned(),
        clients: processors,
    };
    let processors = u32::try_from(processors).unwrap_or(u32::MAX);
    let overloaded = Load::Overloaded {
        job: heavy.below(["/busy"]),
        rate: TIMES * f64::from(processors) / COST.as_secs_f64(),
    };
    [
        ("spin", "one that spins", endless("/spin/spin")),
        ("leak", "one that leaks", endless("/leak/leak")),
        ("flood", "one that floods", endless("/flood/print")),
        ("busy", "one with 10 times its load", overloaded),
    ]
}

impl Load {
    /// Sends the load for a while. Returns what its clients observed.
    fn run(&self, addr: SocketAddr, duration: Duration) -> Result<String> {
        match self {
            Self::Endless { path, clients } => Ok(endless::send(addr, path, *clients, duration)),
            Self::Overloaded { job, rate } => {
                let (flood, _) = crowd::flood(addr, job, *rate, duration, 0, Duration::ZERO)?;
                Ok(describe(&flood))
            }
        }
    }
}

/// Sends all loads at the same time. Returns what the clients of each observed.
fn run_together(all: &[Load], addr: SocketAddr, duration: Duration) -> Result<String> {
    thread::scope(|scope| {
        let all: Vec<_> = all
            .iter()
            .map(|bad| scope.spawn(move || bad.run(addr, duration)))
            .collect();
        let seen = all
            .into_iter()
            .map(|one| one.join().expect("no client panics"));
        let seen: Result<Vec<String>> = seen.collect();
        Ok(seen?.join("; "))
    })
}

/// The outcomes of an overload in words.
fn describe(flood: &crowd::Phase) -> String {
    let count = |is: fn(&Outcome) -> bool| {
        let outcomes = flood.requests.iter().map(|request| &request.outcome);
        outcomes.filter(|outcome| is(outcome)).count()
    };
    let is_refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused { .. });
    let refused = flood
        .requests
        .iter()
        .filter(|request| is_refused(&request.outcome));
    let mut waited: Vec<f64> = refused
        .map(|request| request.latency().as_secs_f64() * 1e3)
        .collect();
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    format!(
        "{} good, {} refused with 503 (p99 {:.0} ms), {} failed, {} not sent",
        count(|outcome| *outcome == Outcome::Good),
        waited.len(),
        percentile(&mut waited, 99).unwrap_or_default(),
        failed + flood.unanswered,
        flood.unsent
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overloaded_function_gets_ten_times_what_all_processors_can_answer() {
        let (_, _, busy) = bad(2, Job::compute(1))[OVERLOADED].clone();
        let Load::Overloaded { job, rate } = busy else {
            panic!("{busy:?}");
        };
        assert_eq!(job.path(), "/busy/compute?1");
        assert!((rate - 10_000.0).abs() < 1e-6, "{rate}");
    }
}
