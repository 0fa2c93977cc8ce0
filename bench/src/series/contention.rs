//! CPU-bound guests next to busy loops of other programs.

use std::process::{Command, Stdio};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::calibrate::calibrate;
use super::{MESSAGE, OURS, PEER};
use crate::composition::close;
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::{Summary, count, percentile, range};
use crate::load::http::Client;
use crate::load::job::Job;
use crate::measure::{self, Bench, Target, Turn, named};
use crate::process::Process;
use crate::programs::{bytes, guest, in_target};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::Server;
use crate::servers::folder::Folder;
use crate::servers::running::Running;

/// The processor time of one request.
const COST: Duration = Duration::from_millis(100);

/// Goal for the 99th percentile over that of `wasmtime serve`.
const OVER_PEER: f64 = 2.0;

/// Length of a turn in ordinary turns, because requests are slow.
const LONGER: u32 = 5;

const OURS_AS_FUNCTION: &str = "component-runner --functions";

/// A language, the component of its guest, the amount of work with which its calibration starts,
/// and a job of an amount of work.
type Guest = (&'static str, Result<Vec<u8>>, u32, fn(u64) -> Job);

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let javascript = in_target("experiments/polyglot/app.wasm", "make experiments");
    let javascript = javascript.and_then(|path| close(&path));
    let python = in_target("benchmark-python/app.wasm", "make bench");
    let python = python.and_then(|path| bytes(&path));
    let rust = guest("cpu_burn").and_then(|path| bytes(&path));
    let guests: [Guest; 3] = [
        ("Rust", rust, 1_000_000, Job::compute),
        ("JavaScript", javascript, 32 << 10, encrypt),
        ("Python", python, 100_000, Job::compute),
    ];
    let (mut warnings, mut targets, mut folders) = (Vec::new(), Vec::new(), Vec::new());
    for guest in guests {
        match prepare(bench, guest) {
            Ok((folder, of_guest)) => {
                folders.push(folder);
                targets.extend(of_guest);
            }
            Err(error) => warnings.push(format!("left out: {error:#}")),
        }
    }
    let turns = bench.turns.longer(LONGER);
    measure::take(turns, &mut targets, "p50_ms", |_, target| {
        take(target, Duration::from_secs(turns.seconds.into()))
    });

    let over_peer = |target: &Target, key| range(over(&targets, target, key));
    let table = Table::new(
        "guest, server",
        &targets,
        &[
            ("requests", &|t| t.median("requests")),
            ("p50, ms", &|t| t.median("p50_ms")),
            ("p99, ms", &|t| t.median("p99_ms")),
            ("p50 over wasmtime serve", &|t| over_peer(t, "p50_ms")),
            ("p99 over wasmtime serve", &|t| over_peer(t, "p99_ms")),
        ],
    );
    let about = format!(
        "A guest that computes for about {} ms. One client sends one request after the other, while \
         each processor has a busy loop of another program. As a function it is one of two, so it \
         runs on the offload threads from its start.",
        COST.as_millis()
    );
    let report = Report::new("contention", about, turns, table, &targets)?;
    warnings.extend(report.warnings);
    Ok(Report {
        verdicts: verdicts(&targets),
        warnings,
        ..report
    })
}

fn encrypt(letters: u64) -> Job {
    let times = usize::try_from(letters).unwrap_or(usize::MAX) / MESSAGE.len();
    Job::encrypt(&MESSAGE.repeat(times))
}

/// The servers of a guest, with a job that costs [`COST`].
fn prepare(bench: &Bench, guest: Guest) -> Result<(Folder, [Target; 3])> {
    let (language, component, amount, job) = guest;
    let component = component?;
    let programs = &bench.programs;
    let folder = Folder::new(&format!("contention-{language}"))?;
    let path = folder.put("guest.wasm", &component)?;
    let names = ["guest", "neighbour"].map(str::to_owned);
    folder.put_functions("functions", &names, &component)?;
    let ours = Server::ours(programs, &[]).serving(&path);
    let functions = Server::functions(programs, &folder, "functions", &[]);
    let peer = Server::wasmtime(programs, &[&["-Scli"]]).serving(&path);
    let job = calibrate(&ours, COST, amount, job)?;
    let as_function = job.clone().below(["/guest"]);
    let target = |name: &str, server: Server, job| {
        // Fills the caches of compiled code.
        let running = Running::start(&server)?;
        Job::check(job, running.addr)?;
        Ok::<_, anyhow::Error>(Target::new(format!("{language}, {name}"), server, job).on(1))
    };
    let targets = [
        target(OURS, ours, &job)?,
        target(OURS_AS_FUNCTION, functions, &as_function)?,
        target(PEER, peer, &job)?,
    ];
    Ok((folder, targets))
}

/// One turn: a new process, measured while each processor has a busy loop of another program.
fn take(target: &Target, duration: Duration) -> Result<Turn> {
    let running = Running::start(&target.server)?;
    target.job.check(running.addr)?;
    let busy_loop = |_| {
        let mut command = Command::new("sh");
        command.args(["-c", "while :; do :; done"]);
        Process::spawn(command.stdin(Stdio::null()))
    };
    let processors = available_parallelism().map_or(1, usize::from);
    let _loops: Vec<Process> = (0..processors).map(busy_loop).collect::<Result<_>>()?;
    let mut client = Client::new(running.addr);
    let end = Instant::now() + duration;
    let mut times = Vec::new();
    while Instant::now() < end {
        let begin = Instant::now();
        target.job.send(running.addr, &mut client)?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    let mut turn = Turn::of([("requests", count(times.len()))]);
    turn.set("p50_ms", percentile(&mut times, 50));
    turn.set("p99_ms", percentile(&mut times, 99));
    Ok(turn)
}

/// A figure over that of the peer with the same guest.
fn over(targets: &[Target], target: &Target, key: &str) -> Option<Summary> {
    let (language, _) = target.name.split_once(", ")?;
    target.over(named(targets, &format!("{language}, {PEER}"))?, key)
}

fn verdicts(targets: &[Target]) -> Vec<Verdict> {
    let ours = targets.iter().filter(|target| !target.name.ends_with(PEER));
    let verdict = |target: &Target| {
        let what = format!("p99 over that of `wasmtime serve`, {}", target.name);
        let ratio = over(targets, target, "p99_ms");
        Verdict::new(what, "×", Limit::AtMost(OVER_PEER), ratio)
    };
    ours.map(verdict).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::{failed, target};

    fn targets(ours: &[f64]) -> [Target; 2] {
        let figures = |rounds| [("p99_ms", rounds)];
        let peer = vec![10.0; ours.len()];
        [
            target("Rust, component-runner", &figures(ours)),
            target("Rust, wasmtime serve", &figures(&peer)),
        ]
    }

    #[test]
    fn the_ratio_is_that_to_the_peer_with_the_same_guest_in_each_round() {
        let targets = targets(&[20.0, 30.0, 25.0]);
        let ratio = over(&targets, &targets[0], "p99_ms").unwrap();
        assert_eq!((ratio.min, ratio.median, ratio.max), (2.0, 2.5, 3.0));
    }

    #[test]
    fn a_server_that_failed_has_no_ratio() {
        let [ours, peer] = targets(&[10.0]);
        let verdicts = verdicts(&[failed(ours), peer]);
        let words: Vec<_> = verdicts.iter().map(Verdict::word).collect();
        assert_eq!(words, ["not measured"]);
    }
}
