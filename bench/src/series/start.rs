//! From the start of the process to the first answer, and the memory at rest.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use super::{MESSAGE, NATIVE, OURS, range};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::load::job::Job;
use crate::machine::kernel::memory;
use crate::measure::Bench;
use crate::plot::{Bar, Kind, Plot};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::running::Running;
use crate::servers::{Server, TUNED};

/// How long the first answer of ours may take, in milliseconds.
const FIRST_ANSWER_MS: f64 = 50.0;

/// How much memory ours may need at rest.
const AT_REST_MIB: f64 = 30.0;

/// How long a server is left alone before it counts as resting.
const PAUSE: Duration = Duration::from_millis(100);

/// A server and what all of its starts showed.
#[derive(Serialize)]
struct Starts {
    name: &'static str,
    #[serde(skip)]
    server: Server,
    samples: Vec<Start>,
    failure: Option<String>,
}

#[derive(Serialize)]
struct Start {
    listening_ms: f64,
    first_answer_ms: f64,
    resident_mib: f64,
}

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let programs = &bench.programs;
    let mut all = [
        (OURS, programs.ours(&[])),
        ("wasmtime serve", programs.wasmtime(&[])),
        ("wasmtime serve, tuned", programs.wasmtime(TUNED)),
        (NATIVE, programs.native(&[])),
    ]
    .map(|(name, server)| Starts {
        name,
        server,
        samples: Vec::new(),
        failure: None,
    });

    let starts = bench.settings.starts;
    // The first start fills the compile cache and does not count.
    for turn in 0..=starts {
        for one in all.iter_mut().filter(|one| one.failure.is_none()) {
            match start(&one.server) {
                Ok(_) if turn == 0 => {}
                Ok(sample) => one.samples.push(sample),
                Err(error) => one.failure = Some(format!("{error:#}")),
            }
        }
        eprintln!("{turn}/{starts} starts");
    }
    report(&all, starts)
}

/// Starts a server once.
fn start(server: &Server) -> Result<Start> {
    let running = Running::start(server)?;
    Job::Encrypt(MESSAGE.to_owned()).check(running.addr)?;
    let first_answer = running.age();
    sleep(PAUSE);
    let kib = u32::try_from(memory(running.id())?.resident_kib).context("more than 4 TiB")?;
    Ok(Start {
        listening_ms: running.listening_after.as_secs_f64() * 1e3,
        first_answer_ms: first_answer.as_secs_f64() * 1e3,
        resident_mib: f64::from(kib) / 1024.0,
    })
}

fn report(all: &[Starts], starts: u32) -> Result<Report> {
    let mut table = Table::new(&[
        "server",
        "first answer, ms: min / median / max",
        "listening, ms",
        "memory at rest, MiB",
    ]);
    for one in all {
        table.row([
            one.name.to_owned(),
            range(one.summary(|start| start.first_answer_ms)),
            range(one.summary(|start| start.listening_ms)),
            range(one.summary(|start| start.resident_mib)),
        ]);
    }
    let ours = &all[0];
    let judge = |what: &str, unit, limit, figure: fn(&Start) -> f64| {
        let starts = ours.summary(figure);
        let found = starts.map(|starts| starts.median);
        Verdict::new(what, unit, Limit::AtMost(limit), found, starts)
    };
    let verdicts = vec![
        judge("first answer of ours", "ms", FIRST_ANSWER_MS, |start| {
            start.first_answer_ms
        }),
        judge("memory of ours at rest", "MiB", AT_REST_MIB, |start| {
            start.resident_mib
        }),
    ];
    let bars = all.iter().map(|one| Bar {
        label: one.name.to_owned(),
        kind: match one.name {
            OURS => Kind::Ours,
            NATIVE => Kind::Native,
            _ => Kind::Peer,
        },
        summary: one.summary(|start| start.first_answer_ms),
    });
    let failure = |one: &Starts| Some(format!("`{}`: {}", one.name, one.failure.as_ref()?));
    Ok(Report {
        name: "start",
        about: format!(
            "From the start of the process until the first answer was there, with a compile cache \
             that holds the component; the servers take turns. Memory is what is \
             resident {} ms after that answer.",
            PAUSE.as_millis()
        ),
        turns: format!("{starts} starts"),
        table,
        verdicts,
        warnings: Vec::new(),
        failures: all.iter().filter_map(failure).collect(),
        commands: all
            .iter()
            .map(|one| (one.name.to_owned(), one.server.shown()))
            .collect(),
        figures: serde_json::to_value(all)?,
        plot: Plot::Bars {
            title: "From process start to the first answer".to_owned(),
            unit: "ms, median and range; less is better",
            bars: bars.collect(),
        },
    })
}

impl Starts {
    fn summary(&self, figure: impl Fn(&Start) -> f64) -> Option<Summary> {
        match self.failure {
            Some(_) => None,
            None => Summary::of(self.samples.iter().map(figure)),
        }
    }
}
