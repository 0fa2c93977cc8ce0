//! Well-behaved clients next to slow ones.

use anyhow::Result;

use super::interference::{self, GOOD_CLIENTS, Scenario};
use super::{MESSAGE, OURS, PEER};
use crate::load::job::Job;
use crate::load::slow;
use crate::load::slowhttptest::{self, Mode};
use crate::measure::Bench;
use crate::report::Report;
use crate::servers::programs::guest;

/// Number of clients that send a head and one byte, and wait.
const HELD: usize = 5000;

/// Length of a turn in ordinary turns: the slow clients need time to arrive, and the server's
/// timeouts to expire.
const LONGER: u32 = 6;

/// Answers that are read slowly: one that the server can buffer, one that the kernel can buffer,
/// and one that neither can, so that its guest waits.
const READ: [(&str, &str); 3] = [
    ("64 KiB", "/write?65536"),
    ("1 MiB", "/write?1048576"),
    ("8 MiB", "/write?8388608"),
];

pub(super) fn run(bench: &Bench) -> Result<Report> {
    slowhttptest::find()?;
    let job = Job::Encrypt(MESSAGE.to_owned());
    let programs = &bench.programs;
    let with_held = |alone: &Scenario| {
        let job = job.clone();
        alone.next_to(
            "5,000 that send one byte and wait",
            move |addr, duration| Ok(slow::hold(addr, &job, HELD, duration)?.to_string()),
        )
    };
    let with_test = |alone: &Scenario, load: String, path: &'static str, mode: Mode| {
        alone.next_to(load, move |addr, duration| {
            Ok(slowhttptest::run(addr, path, mode, duration)?.to_string())
        })
    };

    let alone = Scenario::alone(OURS, programs.ours(&[]), job.clone());
    let held = with_held(&alone);
    let heads = with_test(&alone, "slowloris".to_owned(), "/encrypt", Mode::Head);
    let bodies = with_test(&alone, "slow bodies".to_owned(), "/encrypt", Mode::Body);
    let readers = with_test(&alone, "slow readers".to_owned(), "/encrypt", Mode::Read);
    let mut scenarios = vec![alone, held, heads, bodies, readers];

    let server = programs.ours(&[]).serving(&guest("cpu_burn")?);
    let alone = Scenario::alone("component-runner, cpu-burn", server, Job::good());
    let readers = READ
        .map(|(size, path)| with_test(&alone, format!("slow readers of {size}"), path, Mode::Read));
    scenarios.push(alone);
    scenarios.extend(readers);

    let alone = Scenario::alone(PEER, programs.wasmtime(&[]), job.clone()).without_goals();
    let held = with_held(&alone);
    scenarios.extend([alone, held]);

    let about = format!(
        "{GOOD_CLIENTS} well-behaved clients send a request every 10 ms each and wait for the \
         answer: first alone, then next to other clients from the same machine that start at the \
         same time. {HELD} clients arrive within 5 s, send a head and one byte of its body, wait, \
         and reconnect when the server closes the connection; slowhttptest has 1,000 connections \
         in three modes; next to `cpu-burn`, its readers request answers of which the server can \
         buffer the smallest, the kernel the next, and neither the largest. Times are those of \
         good answers, from when the request was due. The slow clients need a part of the \
         processors as well: slowhttptest a fifth of one."
    );
    let seconds = bench.turns.seconds * LONGER;
    interference::run(bench, "slow", about, &scenarios, seconds)
}
