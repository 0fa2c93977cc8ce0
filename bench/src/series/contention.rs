//! CPU-bound guests beside busy loops of other programs.

use std::process::{Command, Stdio};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::{MESSAGE, OURS, range};
use crate::composition::close;
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::functions::Folder;
use crate::load::job::Job;
use crate::load::paced::percentile;
use crate::load::timed::Timed;
use crate::machine::kernel::processor_time;
use crate::measure::Bench;
use crate::plot::{Bar, Kind, Plot};
use crate::report::Report;
use crate::report::table::{Table, figure};
use crate::servers::Server;
use crate::servers::process::Process;
use crate::servers::programs::{experiment, guest, python_guest};
use crate::servers::running::Running;

/// The processor time of one request.
const COST: Duration = Duration::from_millis(100);

/// How many times the 99th percentile may be that of `wasmtime serve`.
const OVER_PEER: f64 = 2.0;

/// How many times the length of an ordinary turn one lasts: a request takes long.
const LONGER: u32 = 5;

const OURS_AS_FUNCTION: &str = "component-runner --functions";
const PEER: &str = "wasmtime serve";

/// A guest, and the job that costs it [`COST`].
struct Target {
    language: &'static str,
    job: Job,
    /// Below a prefix, where it is one of two functions.
    job_of_function: Job,
    servers: [(&'static str, Server); 3],
    _folder: Folder,
}

/// What one client of one server saw that sent one request after the other.
#[derive(Debug, Serialize)]
struct Row {
    language: &'static str,
    server: &'static str,
    #[serde(skip)]
    command: String,
    /// In milliseconds, of each round.
    rounds: Vec<Vec<f64>>,
    failure: Option<String>,
}

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let mut warnings = Vec::new();
    let mut targets = Vec::new();
    for target in [rust, javascript, python] {
        match target(bench) {
            Ok(target) => targets.push(target),
            Err(why) => warnings.push(format!("left out: {why:#}")),
        }
    }
    let mut rows: Vec<Row> = targets.iter().flat_map(Target::rows).collect();
    let rounds = bench.turns.rounds;
    let duration = Duration::from_secs((bench.turns.seconds * LONGER).into());
    for round in 1..=rounds {
        let servers = targets
            .iter()
            .flat_map(|target| target.servers.iter().map(move |server| (target, server)));
        for ((target, (name, server)), row) in servers.zip(&mut rows) {
            let job = target.job(name);
            match take(server, job, duration) {
                Ok(mut times) => {
                    let median = percentile(&mut times, 50).unwrap_or_default();
                    let language = target.language;
                    eprintln!("{round}/{rounds} {language}, {name}: p50 {median:.0} ms");
                    row.rounds.push(times);
                }
                Err(error) => row.failure = Some(format!("{error:#}")),
            }
        }
    }
    let mut report = report(&rows, rounds, duration)?;
    report.warnings = warnings;
    Ok(report)
}

fn rust(bench: &Bench) -> Result<Target> {
    let component = std::fs::read(guest("toil")?)?;
    Target::new(bench, "Rust", &component, 1_000_000, Job::compute)
}

fn javascript(bench: &Bench) -> Result<Target> {
    let component = close(&experiment("polyglot/app.wasm")?)?;
    let job = |letters: u64| {
        let times = usize::try_from(letters).unwrap_or(usize::MAX) / MESSAGE.len();
        Job::Encrypt(MESSAGE.repeat(times))
    };
    Target::new(bench, "JavaScript", &component, 32 << 10, job)
}

fn python(bench: &Bench) -> Result<Target> {
    let component = std::fs::read(python_guest()?)?;
    Target::new(bench, "Python", &component, 100_000, Job::compute)
}

impl Target {
    /// Finds the amount of work that costs [`COST`], beginning with `amount`.
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
        let target = Self {
            language,
            job_of_function: job.clone().below(["/guest"]),
            job,
            servers: [(OURS, ours), (OURS_AS_FUNCTION, functions), (PEER, peer)],
            _folder: folder,
        };
        // Each compiles, which is kept.
        for (name, server) in &target.servers {
            let running = Running::start(server)?;
            target.job(name).check(running.addr)?;
        }
        Ok(target)
    }

    fn job(&self, server: &str) -> &Job {
        if server == OURS_AS_FUNCTION {
            &self.job_of_function
        } else {
            &self.job
        }
    }

    fn rows(&self) -> impl Iterator<Item = Row> {
        self.servers.iter().map(|(name, server)| Row {
            language: self.language,
            server: name,
            command: server.shown(),
            rounds: Vec::new(),
            failure: None,
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

/// One turn: a new process, asked while each processor has a busy loop of another program.
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
        times.push(client.ask(job)? / 1e3);
    }
    Ok(times)
}

impl Row {
    /// A percentile of all rounds together.
    fn percentile(&self, percent: usize) -> Option<f64> {
        let mut all = self.rounds.concat();
        percentile(&mut all, percent).filter(|_| self.failure.is_none())
    }

    /// The same of each round.
    fn of_rounds(&self, percent: usize) -> Vec<f64> {
        let one = |times: &Vec<f64>| percentile(&mut times.clone(), percent);
        self.rounds.iter().filter_map(one).collect()
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

/// The row of the peer with the same guest.
fn peer<'a>(rows: &'a [Row], row: &Row) -> Option<&'a Row> {
    let mut rows = rows.iter();
    rows.find(|other| other.language == row.language && other.server == PEER)
}

fn report(rows: &[Row], rounds: u32, duration: Duration) -> Result<Report> {
    let mut table = Table::new(&[
        "guest and server",
        "requests",
        "p50, ms",
        "p99, ms",
        "p50 over wasmtime serve: min / median / max",
        "p99 over wasmtime serve: min / median / max",
    ]);
    let mut verdicts = Vec::new();
    let cell = |figure_of: Option<f64>| figure_of.map_or_else(|| "failed".to_owned(), figure);
    for row in rows {
        let name = format!("{}, {}", row.language, row.server);
        let peer = peer(rows, row).context("each guest has a peer")?;
        let [(_, p50), (p99, p99_of_rounds)] = [50, 99].map(|percent| row.over(peer, percent));
        table.row([
            name.clone(),
            row.rounds.concat().len().to_string(),
            cell(row.percentile(50)),
            cell(row.percentile(99)),
            range(p50),
            range(p99_of_rounds),
        ]);
        if row.server != PEER {
            let what = format!("p99 over that of `wasmtime serve`, {name}");
            let limit = Limit::AtMost(OVER_PEER);
            verdicts.push(Verdict::new(what, "×", limit, p99, p99_of_rounds));
        }
    }
    let failure = |row: &Row| {
        let why = row.failure.as_ref()?;
        Some(format!("`{}`, {}: {why}", row.server, row.language))
    };
    let mut commands = Vec::new();
    for row in rows {
        let command = (row.server.to_owned(), row.command.clone());
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    Ok(Report {
        name: "contention",
        about: format!(
            "A guest that computes for about {} ms is asked by one client, one request after the \
             other, while each processor has a busy loop of another program. As a function it is \
             one of two, so it runs on the threads for CPU-bound guests from its start.",
            COST.as_millis()
        ),
        turns: format!("{rounds} rounds of {} s", duration.as_secs()),
        table,
        verdicts,
        warnings: Vec::new(),
        failures: rows.iter().filter_map(failure).collect(),
        commands,
        figures: serde_json::to_value(rows)?,
        plot: Plot::Bars {
            title: "99th percentile beside busy loops of other programs".to_owned(),
            unit: "ms, median and range of the rounds; less is better",
            bars: rows
                .iter()
                .map(|row| Bar {
                    label: format!("{}, {}", row.language, row.server),
                    kind: if row.server == PEER {
                        Kind::Peer
                    } else {
                        Kind::Ours
                    },
                    summary: Summary::of(row.of_rounds(99)),
                })
                .collect(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(server: &'static str, rounds: &[&[f64]]) -> Row {
        Row {
            language: "Rust",
            server,
            command: String::new(),
            rounds: rounds.iter().map(|times| times.to_vec()).collect(),
            failure: None,
        }
    }

    #[test]
    fn the_ratio_is_of_all_rounds_together_and_its_range_of_single_ones() {
        let ours = row(OURS, &[&[10.0, 20.0], &[30.0]]);
        let peer = row(PEER, &[&[10.0], &[10.0]]);
        let (all, rounds) = ours.over(&peer, 99);
        assert_eq!(all, Some(3.0));
        let rounds = rounds.unwrap();
        assert_eq!((rounds.min, rounds.max), (2.0, 3.0));
    }

    #[test]
    fn a_server_that_failed_has_no_ratio() {
        let mut ours = row(OURS, &[&[10.0]]);
        ours.failure = Some("the answer was 500".to_owned());
        let rows = [ours, row(PEER, &[&[10.0]])];
        let report = report(&rows, 1, COST).unwrap();
        let words: Vec<_> = report.verdicts.iter().map(Verdict::word).collect();
        assert_eq!(words, ["not measured"]);
    }
}
