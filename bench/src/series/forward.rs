//! What it costs the requests when the audit log is forwarded.

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
use crate::plot::{Bar, Kind, Plot};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::Server;
use crate::servers::nats::Nats;
use crate::servers::programs::{part, scratch};
use crate::servers::running::Running;

/// How many connections send a request every 10 ms.
const CONNECTIONS: u32 = 8;

/// How long one turn lasts, and how often the other side is killed meanwhile.
const TURN: Duration = Duration::from_secs(8);
const KILL_INTERVAL: Duration = Duration::from_millis(400);

/// How much higher the 99th percentile may be.
const OVER_ALONE: f64 = 1.1;

/// What becomes of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Log {
    Kept,
    Forwarded,
    /// To a server that is killed again and again.
    Interrupted,
}

impl Log {
    fn name(self) -> &'static str {
        match self {
            Self::Kept => "not forwarded",
            Self::Forwarded => "forwarded",
            Self::Interrupted => "forwarded, the other side killed 20 times",
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
    let mut all = [Log::Kept, Log::Forwarded, Log::Interrupted].map(|log| Turns {
        log,
        p50_us: Vec::new(),
        p99_us: Vec::new(),
    });
    let rounds = bench.turns.rounds;
    for round in 1..=rounds {
        for turns in &mut all {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).context("cannot make a folder for the log")?;
            let mut times = measure(bench, turns.log, &component, &folder)?;
            let mut at = |percent| percentile(&mut times, percent).context("nothing was sent");
            turns.p50_us.push(at(50)?);
            turns.p99_us.push(at(99)?);
            let p99 = turns.p99_us.last().copied().unwrap_or_default();
            eprintln!("{round}/{rounds} {}: p99 {p99:.0} µs", turns.log.name());
        }
    }
    fs::remove_dir_all(&folder).context("cannot remove the log")?;
    report(&all, rounds)
}

/// How long the requests of one turn took, in microseconds.
fn measure(bench: &Bench, log: Log, component: &Path, folder: &Path) -> Result<Vec<f64>> {
    let mut flags = vec!["--audit".to_owned(), "sqlite:audit.db".to_owned()];
    let mut nats = match log {
        Log::Kept => None,
        Log::Forwarded | Log::Interrupted => Some(Nats::start()?),
    };
    if let Some(nats) = &nats {
        flags.extend(["--audit-forward".to_owned(), nats.url()]);
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server: Server = bench.programs.ours(&flags);
    let running = Running::start(&server.serving(component).within(folder))?;
    let job = Job::Encrypt(MESSAGE.to_owned());
    // To warm up.
    paced::run(running.addr, &job, CONNECTIONS, Duration::from_secs(1))?;

    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        if log == Log::Interrupted
            && let Some(nats) = &mut nats
        {
            let is_over = &is_over;
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

fn report(all: &[Turns; 3], rounds: u32) -> Result<Report> {
    let summary = |figures: &[f64]| Summary::of(figures.iter().copied());
    let mut table = Table::new(&["audit log", "p50, µs", "p99, µs"]);
    for turns in all {
        table.row([
            turns.log.name().to_owned(),
            median(summary(&turns.p50_us)),
            median(summary(&turns.p99_us)),
        ]);
    }
    let alone = &all[0];
    let verdict = |turns: &Turns| {
        let medians = summary(&turns.p99_us).zip(summary(&alone.p99_us));
        let found = medians.map(|(this, alone)| this.median / alone.median);
        let pairs = turns.p99_us.iter().zip(&alone.p99_us);
        let rounds = Summary::of(pairs.map(|(this, alone)| this / alone));
        let name = turns.log.name();
        let what = format!("p99 when {name} over that when not");
        Verdict::new(what, "×", Limit::AtMost(OVER_ALONE), found, rounds)
    };
    let bars = all.iter().map(|turns| Bar {
        label: turns.log.name().to_owned(),
        kind: if turns.log == Log::Kept {
            Kind::Native
        } else {
            Kind::Ours
        },
        summary: summary(&turns.p99_us),
    });
    Ok(Report {
        name: "forward",
        about: format!(
            "`app.wasm` with a durable audit log, asked by {CONNECTIONS} connections every 10 ms, \
             while the log is forwarded to a nats-server on the same processors, which stores \
             every record before it confirms it (`sync_interval: always`, on a file system in \
             memory, as the disk of another machine would not be in the way), and which is killed \
             and started again every {} ms in the last case.",
            KILL_INTERVAL.as_millis()
        ),
        turns: format!("{rounds} rounds of {} s", TURN.as_secs()),
        table,
        verdicts: all[1..].iter().map(verdict).collect(),
        warnings: Vec::new(),
        failures: Vec::new(),
        commands: Vec::new(),
        figures: serde_json::to_value(all)?,
        plot: Plot::Bars {
            title: "99th percentile of the latency while the log is forwarded".to_owned(),
            unit: "µs; less is better",
            bars: bars.collect(),
        },
    })
}
