//! Good functions beside bad ones, in one server.

use std::fs;
use std::net::SocketAddr;
use std::thread::{self, available_parallelism};
use std::time::Duration;

use anyhow::{Context, Result};

use super::OURS;
use super::beside::{self, GOOD_CLIENTS, Scene};
use super::overload::{COST, TIMES, calibrate};
use crate::functions::{Folder, cold};
use crate::load::again;
use crate::load::crowd::{self, Outcome};
use crate::load::job::Job;
use crate::load::paced::percentile;
use crate::measure::Bench;
use crate::plot::Kind;
use crate::report::Report;
use crate::servers::programs::guest;
use crate::servers::running::Running;

/// How many good functions there are.
const GOOD: usize = 96;

/// How many times the length of an ordinary turn one lasts: a server needs time to
/// lose its patience.
const LONGER: u32 = 6;

/// Which of the bad functions has more requests than it can answer.
const BUSY: usize = 3;

/// The same in a process of its own, for people.
const ON_ANOTHER: &str = "one with 10 times its load, in a process of its own";

/// What a bad function does.
#[derive(Debug, Clone)]
enum Bad {
    /// What never ends at this path, for so many clients at once.
    Endless { path: String, clients: usize },
    /// Its job, so many times a second, which is more than it can.
    Overloaded { job: Job, rate: f64 },
}

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let programs = &bench.programs;
    let toil = guest("toil")?;
    let component = fs::read(&toil).with_context(|| format!("cannot read `{}`", toil.display()))?;
    let processors = available_parallelism().map_or(1, usize::from);
    let heavy = calibrate(&programs.ours(&[]).serving(&toil))?;
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
    // It compiles all of them, and the turns find that done.
    cold::start(&server, names.len(), &job, &folder)?;

    let alone = Scene::alone(Kind::Ours, OURS, server.clone(), job);
    let mut scenes = Vec::new();
    for (_, what, bad) in &bad {
        let bad = bad.clone();
        scenes.push(alone.beside(*what, move |addr, duration| bad.work(addr, duration)));
    }
    let all: Vec<Bad> = bad.iter().map(|(.., bad)| bad.clone()).collect();
    let (busy, another) = (bad[BUSY].2.clone(), server);
    let on_another = move |_: SocketAddr, duration| {
        let running = Running::start(&another)?;
        busy.work(running.addr, duration)
    };
    scenes.push(alone.beside(ON_ANOTHER, on_another).control());
    scenes.push(alone.beside("all of them", move |addr, duration| {
        work_together(&all, addr, duration)
    }));
    scenes.insert(0, alone);

    let about = format!(
        "One server with {} functions, all of them `toil`, with bytes and compiled code of their \
         own, and with all limits as they are by default. {GOOD_CLIENTS} good clients send a \
         request every 10 ms each, to {GOOD} of the functions in turn, and wait for the answer: at \
         first alone, and then beside clients of one bad function, from the same machine, who \
         begin together with them. It computes for ever, takes all the memory that it gets, or \
         prints for ever, each for {processors} clients at once; or it computes for about {} ms \
         and gets {TIMES} times as many requests as all processors could answer. The same load on \
         another process, to which nothing ties the good functions but the machine, is there to \
         compare with. At last all four are there. The load generator needs some of the same \
         processors.",
        names.len(),
        COST.as_millis()
    );
    let seconds = bench.turns.seconds * LONGER;
    beside::run(bench, "fairness", about, &scenes, seconds)
}

/// The bad functions: the name of each, what it is for people, and what it does.
fn bad(processors: usize, heavy: Job) -> [(&'static str, &'static str, Bad); 4] {
    let endless = |path: &str| Bad::Endless {
        path: path.to_owned(),
        clients: processors,
    };
    let processors = u32::try_from(processors).unwrap_or(u32::MAX);
    let overloaded = Bad::Overloaded {
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

impl Bad {
    /// Keeps the function at it for a while. Returns what its clients saw.
    fn work(&self, addr: SocketAddr, duration: Duration) -> Result<String> {
        match self {
            Self::Endless { path, clients } => Ok(again::ask(addr, path, *clients, duration)),
            Self::Overloaded { job, rate } => {
                let (flood, _) = crowd::flood(addr, job, *rate, duration, 0, Duration::ZERO)?;
                Ok(told(&flood))
            }
        }
    }
}

/// Keeps all of them at it at the same time. Returns what the clients of each saw.
fn work_together(all: &[Bad], addr: SocketAddr, duration: Duration) -> Result<String> {
    thread::scope(|scope| {
        let all: Vec<_> = all
            .iter()
            .map(|bad| scope.spawn(move || bad.work(addr, duration)))
            .collect();
        let seen = all
            .into_iter()
            .map(|one| one.join().expect("asking does not panic"));
        let seen: Result<Vec<String>> = seen.collect();
        Ok(seen?.join("; "))
    })
}

/// What became of the requests of an overload, for people.
fn told(flood: &crowd::Phase) -> String {
    let count = |is: fn(&Outcome) -> bool| {
        let outcomes = flood.fates.iter().map(|fate| &fate.outcome);
        outcomes.filter(|outcome| is(outcome)).count()
    };
    let is_refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused { .. });
    let refused = flood.fates.iter().filter(|fate| is_refused(&fate.outcome));
    let mut waited: Vec<f64> = refused
        .map(|fate| fate.ended.saturating_sub(fate.begun).as_secs_f64() * 1e3)
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
    fn ten_times_what_all_processors_can_do_is_asked_of_the_busy_one() {
        let (_, _, busy) = bad(2, Job::compute(1))[BUSY].clone();
        let Bad::Overloaded { job, rate } = busy else {
            panic!("{busy:?}");
        };
        assert_eq!(job.path(), "/busy/compute?1");
        assert!((rate - 10_000.0).abs() < 1e-6, "{rate}");
    }
}
