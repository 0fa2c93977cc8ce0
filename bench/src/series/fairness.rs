//! Well-behaved functions next to others that spin, leak, flood or are overloaded, in one server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, available_parallelism};
use std::time::Duration;

use anyhow::Result;

use super::OURS;
use super::calibrate::calibrate;
use super::interference::{self, GOOD_CLIENTS, Load, Scenario};
use super::overload::{COST, STEPS, TIMES};
use crate::load::flood::{self, Flood, latency_ms};
use crate::load::job::Job;
use crate::load::slow::endless;
use crate::measure::Bench;
use crate::programs::{bytes, guest};
use crate::report::Report;
use crate::servers::Server;
use crate::servers::folder::Folder;
use crate::servers::running::Running;

/// Number of well-behaved functions.
const GOOD: usize = 96;

/// The badly behaved functions.
const BAD: [&str; 4] = ["spin", "leak", "flood", "busy"];

/// Length of a turn in ordinary turns: the server's timeouts need time to expire.
const LONGER: u32 = 6;

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let guest = guest("cpu_burn")?;
    let processors = available_parallelism().map_or(1, usize::from);
    let server = Server::ours(&bench.programs, &[]).serving(&guest);
    let heavy = calibrate(&server, COST, STEPS, Job::compute)?;

    let folder = Folder::new("fairness")?;
    let good = (0..GOOD).map(|number| format!("good-{number:02}"));
    let bad = BAD.iter().map(|&name| name.to_owned());
    let names: Vec<String> = bad.chain(good.clone()).collect();
    folder.put_functions("functions", &names, &bytes(&guest)?)?;
    let server = Server::functions(&bench.programs, &folder, "functions", &[]);
    eprintln!("the first start, which compiles all functions");
    Running::start(&server)?;

    let endless = |path: &'static str| -> Load {
        Arc::new(move |addr, duration| Ok(endless(addr, path, processors, duration)))
    };
    let overloaded: Load = Arc::new(move |addr, duration| {
        let (job, rate) = overload(&heavy, processors);
        Ok(describe(&flood::send(addr, &job, rate, duration)?))
    });
    let (another, on_another) = (server.clone(), overloaded.clone());
    let on_another: Load = Arc::new(move |_, duration| {
        let running = Running::start(&another)?;
        on_another(running.addr, duration)
    });
    let [spin, leak, flood] = ["/spin/spin", "/leak/leak", "/flood/print"].map(endless);
    let all = [&spin, &leak, &flood, &overloaded].map(Load::clone);
    let together: Load = Arc::new(move |addr, duration| together(&all, addr, duration));

    let job = Job::good().below(good.map(|name| format!("/{name}")));
    let alone = Scenario::alone(OURS, server, &job);
    let another_name = "one with 10 times its load, in a process of its own";
    let scenarios = [
        alone.clone(),
        alone.next_to("one that spins", spin),
        alone.next_to("one that leaks", leak),
        alone.next_to("one that floods", flood),
        alone.next_to("one with 10 times its load", overloaded),
        alone.next_to(another_name, on_another).without_goals(),
        alone.next_to("all of them", together),
    ];
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
    interference::run("fairness", about, &scenarios, bench.turns.longer(LONGER))
}

/// The job and the rate per second of the overloaded function.
fn overload(heavy: &Job, processors: usize) -> (Job, f64) {
    let processors = f64::from(u32::try_from(processors).unwrap_or(u32::MAX));
    let job = heavy.clone().below(["/busy"]);
    (job, TIMES * processors / COST.as_secs_f64())
}

/// Sends all loads at the same time. Returns what the clients of each observed.
fn together(all: &[Load], addr: SocketAddr, duration: Duration) -> Result<String> {
    thread::scope(|scope| {
        let start = |load| scope.spawn(move || Load::as_ref(load)(addr, duration));
        let all: Vec<_> = all.iter().map(start).collect();
        let seen = all
            .into_iter()
            .map(|one| one.join().expect("no client panics"));
        Ok(seen.collect::<Result<Vec<_>>>()?.join("; "))
    })
}

/// The outcomes of an overload in words.
fn describe(flood: &Flood) -> String {
    let (good, refused) = (flood.good().count(), flood.refused().count());
    format!(
        "{good} good, {refused} refused with 503 (p99 {:.0} ms), {} failed, {} not sent",
        latency_ms(flood.refused(), 99).unwrap_or_default(),
        flood.failures(),
        flood.unsent
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overloaded_function_gets_ten_times_what_all_processors_can_answer() {
        let (job, rate) = overload(&Job::compute(1), 2);
        assert_eq!(job.path(), "/busy/compute?1");
        assert!((rate - 10_000.0).abs() < 1e-6, "{rate}");
    }
}
