//! The latency of requests while the audit log is forwarded.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use super::{MESSAGE, median};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::load::job::Job;
use crate::load::paced::{self, percentile};
use crate::measure::Bench;
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::Server;
use crate::servers::nats::Nats;
use crate::servers::programs::{part, scratch};
use crate::servers::running::Running;

/// Number of connections that send a request every 10 ms.
const CONNECTIONS: u32 = 8;

/// Length of a turn, and interval of the kills.
const TURN: Duration = Duration::from_secs(8);
const KILL_INTERVAL: Duration = Duration::from_millis(400);

/// Goal for the 99th percentile over that without forwarding.
const OVER_ALONE: f64 = 1.1;

/// The four cases. Those with the same nats-server follow each other: its restarts take processor
/// time that they would not take on another machine.
const CASES: [Log; 4] = [
    Log::new("not forwarded", false, false),
    Log::new("forwarded", true, false),
    Log::new("not forwarded, a nats-server killed 20 times", false, true),
    Log::new("forwarded, the nats-server killed 20 times", true, true),
];

/// The log, and the nats-server.
#[derive(Debug, Clone, Copy, Serialize)]
struct Log {
    #[serde(skip)]
    name: &'static str,
    is_forwarded: bool,
    /// Whether the nats-server is killed repeatedly.
    is_interrupted: bool,
}

impl Log {
    const fn new(name: &'static str, is_forwarded: bool, is_interrupted: bool) -> Self {
        Self {
            name,
            is_forwarded,
            is_interrupted,
        }
    }
}

#[derive(Serialize)]
struct Turns {
    log: Log,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
}

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let component = part("app")?;
    let folder = scratch().join("forward");
    let mut all = CASES.map(|log| Turns {
        log,
        p50_us: Vec::new(),
        p99_us: Vec::new(),
    });
    let rounds = bench.turns.rounds;
    for round in 1..=rounds {
        for turns in &mut all {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).context("cannot create a folder for the log")?;
            let mut times = measure(bench, turns.log, &component, &folder)?;
            let mut at = |percent| percentile(&mut times, percent).context("no request was sent");
            turns.p50_us.push(at(50)?);
            turns.p99_us.push(at(99)?);
            let p99 = turns.p99_us.last().copied().unwrap_or_default();
            eprintln!("{round}/{rounds} {}: p99 {p99:.0} µs", turns.log.name);
        }
    }
    fs::remove_dir_all(&folder).context("cannot remove the log")?;
    report(&all, rounds)
}

/// Latencies of the requests of one turn, in microseconds.
fn measure(bench: &Bench, log: Log, component: &Path, folder: &Path) -> Result<Vec<f64>> {
    let mut flags = vec!["--audit".to_owned(), "sqlite:audit.db".to_owned()];
    let mut nats = Nats::start()?;
    if log.is_forwarded {
        flags.extend(["--audit-forward".to_owned(), nats.url()]);
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server: Server = bench.programs.ours(&flags);
    let running = Running::start(&server.serving(component).within(folder))?;
    let job = Job::Encrypt(MESSAGE.to_owned());
    // Warm-up.
    paced::run(running.addr, &job, CONNECTIONS, Duration::from_secs(1))?;

    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        if log.is_interrupted {
            let (is_over, nats) = (&is_over, &mut nats);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) && nats.restart().is_ok() {
                    thread::sleep(KILL_INTERVAL);
                }
            });
        }
        let times = paced::run(running.addr, &job, CONNECTIONS, TURN);
        is_over.store(true, Ordering::Relaxed);
        times
    })
}

fn report(all: &[Turns; 4], rounds: u32) -> Result<Report> {
    let summary = |figures: &[f64]| Summary::of(figures.iter().copied());
    let mut table = Table::new(&["audit log", "p50, µs", "p99, µs"]);
    for turns in all {
        table.row([
            turns.log.name.to_owned(),
            median(summary(&turns.p50_us)),
            median(summary(&turns.p99_us)),
        ]);
    }
    let verdict = |pair: &[Turns]| {
        let [kept, forwarded] = pair else {
            return None;
        };
        let medians = summary(&forwarded.p99_us).zip(summary(&kept.p99_us));
        let found = medians.map(|(this, kept)| this.median / kept.median);
        let pairs = forwarded.p99_us.iter().zip(&kept.p99_us);
        let rounds = Summary::of(pairs.map(|(this, kept)| this / kept));
        let (this, other) = (forwarded.log.name, kept.log.name);
        let what = format!("p99 when {this} over that when {other}");
        Some(Verdict::new(
            what,
            "×",
            Limit::AtMost(OVER_ALONE),
            found,
            rounds,
        ))
    };
    let about = format!(
        "`app.wasm` with a durable audit log, with {CONNECTIONS} connections that send a request \
         every 10 ms. A nats-server on the same processors gets the records, or nothing; it stores \
         every record before it confirms it (`sync_interval: always`). In the last two cases it is \
         killed and restarted every {} ms. It has the lowest priority and a file system in memory, \
         to compete for the processors little more than on another machine.",
        KILL_INTERVAL.as_millis()
    );
    let turns = format!("{rounds} rounds of {} s", TURN.as_secs());
    Ok(Report {
        verdicts: all.chunks(2).filter_map(verdict).collect(),
        figures: serde_json::to_value(all)?,
        ..Report::new("forward", about, turns, table)
    })
}
