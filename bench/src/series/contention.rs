//! CPU-bound guests next to busy loops of other programs.

use std::process::{Command, Stdio};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::target::Target;
use super::{MESSAGE, OURS, PEER, range};
use crate::composition::close;
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::functions::Folder;
use crate::load::job::Job;
use crate::load::paced::percentile;
use crate::load::timed::Timed;
use crate::machine::kernel::processor_time;
use crate::measure::Bench;
use crate::report::Report;
use crate::report::table::{Table, figure};
use crate::servers::Server;
use crate::servers::process::Process;
use crate::servers::programs::{experiment, guest, python_guest};
use crate::servers::running::Running;

/// The processor time of one request.
const COST: Duration = Duration::from_millis(100);

/// Goal for the 99th percentile over that of `wasmtime serve`.
const OVER_PEER: f64 = 2.0;

/// Length of a turn in ordinary turns, because requests are slow.
const LONGER: u32 = 5;

const OURS_AS_FUNCTION: &str = "component-runner --functions";

/// A guest and its job, which costs [`COST`].
struct Guest {
    language: &'static str,
    job: Job,
    servers: [(&'static str, Server); 3],
    _folder: Folder,
}

/// One server of one guest, with a single client that sends one request after the other.
#[derive(Serialize)]
struct Case {
    language: &'static str,
    #[serde(rename = "server")]
    server_name: &'static str,
    #[serde(skip)]
    job: Job,
    /// Latencies of each round, in milliseconds.
    #[serde(flatten)]
    target: Target<Vec<f64>>,
}

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let mut warnings = Vec::new();
    let mut guests = Vec::new();
    for guest in [rust, javascript, python] {
        match guest(bench) {
            Ok(guest) => guests.push(guest),
            Err(error) => warnings.push(format!("left out: {error:#}")),
        }
    }
    let mut cases: Vec<Case> = guests.iter().flat_map(Guest::cases).collect();
    let rounds = bench.turns.rounds;
    let duration = Duration::from_secs((bench.turns.seconds * LONGER).into());
    for round in 1..=rounds {
        for Case { job, target, .. } in &mut cases {
            let name = target.name.clone();
            if let Some(times) = target.take(|target| take(&target.server, job, duration)) {
                let median = percentile(&mut times.clone(), 50).unwrap_or_default();
                eprintln!("{round}/{rounds} {name}: p50 {median:.0} ms");
            }
        }
    }
    let report = report(&cases, rounds, duration)?;
    Ok(Report { warnings, ..report })
}

fn rust(bench: &Bench) -> Result<Guest> {
    let component = std::fs::read(guest("cpu_burn")?)?;
    Guest::new(bench, "Rust", &component, 1_000_000, Job::compute)
}

fn javascript(bench: &Bench) -> Result<Guest> {
    let component = close(&experiment("polyglot/app.wasm")?)?;
    let job = |letters: u64| {
        let times = usize::try_from(letters).unwrap_or(usize::MAX) / MESSAGE.len();
        Job::Encrypt(MESSAGE.repeat(times))
    };
    Guest::new(bench, "JavaScript", &component, 32 << 10, job)
}

fn python(bench: &Bench) -> Result<Guest> {
    let component = std::fs::read(python_guest()?)?;
    Guest::new(bench, "Python", &component, 100_000, Job::compute)
}

impl Guest {
    /// Calibrates the amount of work to [`COST`], starting with `amount`.
    fn new(
        bench: &Bench,
        language: &'static str,
        component: &[u8],
        amount: u32,
        job: impl Fn(u64) -> Job,
    ) -> Result<Self> {
        let folder = Folder::new(&format!("contention-{language}"))?;
        folder.put("guest.wasm", component)?;
        let names = ["guest", "neighbour"].map(str::to_owned);
        folder.put_functions("functions", &names, component)?;
        let path = folder.path().join("guest.wasm");
        let ours = bench.programs.ours(&[]).serving(&path);
        let cost = cost(&ours, &job(amount.into()))?;
        let scaled = f64::from(amount) * COST.as_secs_f64() / cost.as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few millions"
        )]
        let job = job(scaled as u64);
        let functions = bench.programs.functions(&folder, "functions", &[]);
        let peer = bench.programs.wasmtime(&["-Scli"]).serving(&path);
        let guest = Self {
            language,
            job,
            servers: [(OURS, ours), (OURS_AS_FUNCTION, functions), (PEER, peer)],
            _folder: folder,
        };
        // Fills the caches of compiled code.
        for case in guest.cases() {
            let running = Running::start(&case.target.server)?;
            case.job.check(running.addr)?;
        }
        Ok(guest)
    }

    fn cases(&self) -> impl Iterator<Item = Case> {
        self.servers.iter().map(|(server_name, server)| Case {
            language: self.language,
            server_name,
            job: if *server_name == OURS_AS_FUNCTION {
                self.job.clone().below(["/guest"])
            } else {
                self.job.clone()
            },
            target: Target::new(format!("{}, {server_name}", self.language), server.clone()),
        })
    }
}

/// The processor time of one request.
fn cost(server: &Server, job: &Job) -> Result<Duration> {
    const REQUESTS: u32 = 5;

    let running = Running::start(server)?;
    job.check(running.addr)?;
    let before = processor_time(running.id())?;
    for _ in 0..REQUESTS {
        job.check(running.addr)?;
    }
    let used = processor_time(running.id())?.since(&before).total();
    ensure!(!used.is_zero(), "`{}` costs nothing", job.path());
    Ok(used / REQUESTS)
}

/// One turn: a new process, measured while each processor has a busy loop of another program.
fn take(server: &Server, job: &Job, duration: Duration) -> Result<Vec<f64>> {
    let running = Running::start(server)?;
    job.check(running.addr)?;
    let busy_loop = |_| {
        let mut command = Command::new("sh");
        command.args(["-c", "while :; do :; done"]);
        Process::spawn(command.stdin(Stdio::null()))
    };
    let processors = available_parallelism().map_or(1, usize::from);
    let _loops: Vec<Process> = (0..processors).map(busy_loop).collect::<Result<_>>()?;
    let client = Timed::connect(running.addr)?;
    let end = Instant::now() + duration;
    let mut times = Vec::new();
    while Instant::now() < end {
        times.push(client.send(job)? / 1e3);
    }
    Ok(times)
}

impl Case {
    /// A percentile of all rounds together.
    fn percentile(&self, percent: usize) -> Option<f64> {
        let mut all = self.target.turns.concat();
        percentile(&mut all, percent).filter(|_| self.target.failure.is_none())
    }

    /// The same of each round.
    fn of_rounds(&self, percent: usize) -> Vec<f64> {
        let one = |times: &Vec<f64>| percentile(&mut times.clone(), percent);
        self.target.turns.iter().filter_map(one).collect()
    }

    /// This percentile over that of `peer`: of all rounds together, and of each.
    fn over(&self, peer: &Self, percent: usize) -> (Option<f64>, Option<Summary>) {
        let all = self.percentile(percent).zip(peer.percentile(percent));
        let rounds = self.of_rounds(percent).into_iter();
        let rounds = rounds.zip(peer.of_rounds(percent));
        let ratio = |(this, peer): (f64, f64)| this / peer;
        (all.map(ratio), Summary::of(rounds.map(ratio)))
    }
}

/// The case of the peer with the same guest.
fn peer<'a>(cases: &'a [Case], case: &Case) -> Option<&'a Case> {
    let mut cases = cases.iter();
    cases.find(|other| other.language == case.language && other.server_name == PEER)
}

fn report(cases: &[Case], rounds: u32, duration: Duration) -> Result<Report> {
    let mut table = Table::new(&[
        "guest and server",
        "requests",
        "p50, ms",
        "p99, ms",
        "p50 over wasmtime serve: min / median / max",
        "p99 over wasmtime serve: min / median / max",
    ]);
    let mut verdicts = Vec::new();
    let mut commands = Vec::new();
    let cell = |figure_of: Option<f64>| figure_of.map_or_else(|| "failed".to_owned(), figure);
    for case in cases {
        let name = &case.target.name;
        let peer = peer(cases, case).context("each guest has a peer")?;
        let [(_, p50), (p99, p99_of_rounds)] = [50, 99].map(|percent| case.over(peer, percent));
        table.row([
            name.clone(),
            case.target.turns.concat().len().to_string(),
            cell(case.percentile(50)),
            cell(case.percentile(99)),
            range(p50),
            range(p99_of_rounds),
        ]);
        if case.server_name != PEER {
            let what = format!("p99 over that of `wasmtime serve`, {name}");
            let limit = Limit::AtMost(OVER_PEER);
            verdicts.push(Verdict::new(what, "×", limit, p99, p99_of_rounds));
        }
        let command = (case.server_name.to_owned(), case.target.server.shown());
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    let about = format!(
        "A guest that computes for about {} ms. One client sends one request after the other, while \
         each processor has a busy loop of another program. As a function it is one of two, so it \
         runs on the offload threads from its start.",
        COST.as_millis()
    );
    let turns = format!("{rounds} rounds of {} s", duration.as_secs());
    let failures = cases.iter().filter_map(|case| case.target.failure());
    Ok(Report {
        verdicts,
        failures: failures.collect(),
        commands,
        figures: serde_json::to_value(cases)?,
        ..Report::new("contention", about, turns, table)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::tests::server;

    fn case(server_name: &'static str, rounds: &[&[f64]]) -> Case {
        Case {
            language: "Rust",
            server_name,
            job: Job::good(),
            target: Target {
                turns: rounds.iter().map(|times| times.to_vec()).collect(),
                ..Target::new(server_name, server())
            },
        }
    }

    #[test]
    fn the_ratio_is_of_all_rounds_together_and_its_range_of_single_ones() {
        let ours = case(OURS, &[&[10.0, 20.0], &[30.0]]);
        let peer = case(PEER, &[&[10.0], &[10.0]]);
        let (all, rounds) = ours.over(&peer, 99);
        assert_eq!(all, Some(3.0));
        let rounds = rounds.unwrap();
        assert_eq!((rounds.min, rounds.max), (2.0, 3.0));
    }

    #[test]
    fn a_server_that_failed_has_no_ratio() {
        let mut ours = case(OURS, &[&[10.0]]);
        ours.target.failure = Some("the answer was 500".to_owned());
        let cases = [ours, case(PEER, &[&[10.0]])];
        let report = report(&cases, 1, COST).unwrap();
        let words: Vec<_> = report.verdicts.iter().map(Verdict::word).collect();
        assert_eq!(words, ["not measured"]);
    }
}
