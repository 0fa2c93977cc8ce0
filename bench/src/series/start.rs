//! From process start to the first answer, and the memory at rest.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::target::Target;
use super::{MESSAGE, NATIVE, OURS, PEER, TUNED_PEER};
use crate::figures::goals::{Limit, Verdict};
use crate::load::job::Job;
use crate::machine::kernel::memory;
use crate::machine::rest::mib;
use crate::measure::Bench;
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::TUNED;
use crate::servers::running::Running;

/// Goal for the first answer of ours, in milliseconds.
const FIRST_ANSWER_MS: f64 = 50.0;

/// Goal for the memory of ours at rest.
const AT_REST_MIB: f64 = 30.0;

/// Time without requests after which a server counts as resting.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Serialize)]
struct Start {
    listening_ms: f64,
    first_answer_ms: f64,
    resident_mib: f64,
}

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let programs = &bench.programs;
    let mut all = [
        Target::new(OURS, programs.ours(&[])),
        Target::new(PEER, programs.wasmtime(&[])),
        Target::new(TUNED_PEER, programs.wasmtime(TUNED)),
        Target::new(NATIVE, programs.native(&[])),
    ];
    let starts = bench.settings.starts;
    for turn in 0..=starts {
        for target in &mut all {
            target.take(Start::measure);
            // The first start fills the cache of compiled code and does not count.
            if turn == 0 {
                target.turns.clear();
            }
        }
        eprintln!("{turn}/{starts} starts");
    }
    report(&all, starts)
}

impl Start {
    fn measure(target: &Target<Self>) -> Result<Self> {
        let running = Running::start(&target.server)?;
        Job::Encrypt(MESSAGE.to_owned()).check(running.addr)?;
        let first_answer = running.age();
        sleep(PAUSE);
        Ok(Self {
            listening_ms: running.listening_after.as_secs_f64() * 1e3,
            first_answer_ms: first_answer.as_secs_f64() * 1e3,
            resident_mib: mib(memory(running.id())?.resident_kib),
        })
    }
}

fn report(all: &[Target<Start>], starts: u32) -> Result<Report> {
    let mut table = Table::new(&[
        "server",
        "first answer, ms: min / median / max",
        "listening, ms",
        "memory at rest, MiB",
    ]);
    for target in all {
        table.row([
            target.name.clone(),
            target.range(|start| Some(start.first_answer_ms)),
            target.range(|start| Some(start.listening_ms)),
            target.range(|start| Some(start.resident_mib)),
        ]);
    }
    let judge = |what: &str, unit, limit, figure: fn(&Start) -> f64| {
        let starts = all[0].summary(|start| Some(figure(start)));
        let found = starts.map(|starts| starts.median);
        Verdict::new(what, unit, Limit::AtMost(limit), found, starts)
    };
    let about = format!(
        "From the start of the process to the first answer, with a cache that has the compiled \
         component; the servers take turns. Memory is resident memory {} ms after that answer.",
        PAUSE.as_millis()
    );
    let report = Report::new("start", about, format!("{starts} starts"), table);
    Ok(Report {
        verdicts: vec![
            judge("first answer of ours", "ms", FIRST_ANSWER_MS, |start| {
                start.first_answer_ms
            }),
            judge("memory of ours at rest", "MiB", AT_REST_MIB, |start| {
                start.resident_mib
            }),
        ],
        ..report.with(all)?
    })
}
