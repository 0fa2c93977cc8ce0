//! Good clients beside slow ones.

use anyhow::Result;

use super::beside::{self, GOOD_CLIENTS, Scene};
use super::{MESSAGE, OURS};
use crate::load::job::Job;
use crate::load::slow;
use crate::load::slowhttptest::{self, Mode};
use crate::measure::Bench;
use crate::plot::Kind;
use crate::report::Report;
use crate::servers::programs::guest;

/// How many clients send a head and one byte, and wait.
const HELD: usize = 5000;

/// How many times the length of an ordinary turn one lasts: the slow ones need time
/// to come, and a server to lose its patience.
const LONGER: u32 = 6;

/// Answers that are read slowly: one that a server can keep, one that the kernel can
/// keep for it, and one that neither can, so that its guest has to wait.
const READ: [(&str, &str); 3] = [
    ("64 KiB", "/write?65536"),
    ("1 MiB", "/write?1048576"),
    ("8 MiB", "/write?8388608"),
];

/// Ours with a guest that writes as much as it is told.
const OURS_TOIL: &str = "component-runner, toil";
const PEER: &str = "wasmtime serve";

pub(super) fn run(bench: &Bench) -> Result<Report> {
    slowhttptest::find()?;
    let job = Job::Encrypt(MESSAGE.to_owned());
    let programs = &bench.programs;
    let with_slow_clients = |alone: &Scene| {
        let job = job.clone();
        alone.beside(
            "5,000 that send one byte and wait",
            move |addr, duration| Ok(slow::hold(addr, &job, HELD, duration)?.to_string()),
        )
    };
    let with_test = |alone: &Scene, others: String, path: &'static str, mode: Mode| {
        alone.beside(others, move |addr, duration| {
            Ok(slowhttptest::run(addr, path, mode, duration)?.to_string())
        })
    };

    let alone = Scene::alone(Kind::Ours, OURS, programs.ours(&[]), job.clone());
    let held = with_slow_clients(&alone);
    let heads = with_test(&alone, "slowloris".to_owned(), "/encrypt", Mode::Head);
    let bodies = with_test(&alone, "slow bodies".to_owned(), "/encrypt", Mode::Body);
    let readers = with_test(&alone, "slow readers".to_owned(), "/encrypt", Mode::Read);
    let mut scenes = vec![alone, held, heads, bodies, readers];

    let toil = programs.ours(&[]).serving(&guest("toil")?);
    let alone = Scene::alone(Kind::Ours, OURS_TOIL, toil, Job::good());
    let readers = READ
        .map(|(size, path)| with_test(&alone, format!("slow readers of {size}"), path, Mode::Read));
    scenes.push(alone);
    scenes.extend(readers);

    let alone = Scene::alone(Kind::Peer, PEER, programs.wasmtime(&[]), job.clone());
    let held = with_slow_clients(&alone);
    scenes.extend([alone, held]);

    let about = format!(
        "{GOOD_CLIENTS} good clients send a request every 10 ms each, and wait for the answer. \
         Beside them there are at first nobody, and then others, from the same machine, who \
         begin together with them: {HELD} clients that come within 5 s, send a head and one byte \
         of its body, wait, and come again when the server has ended that; and slowhttptest with \
         1,000 connections in three modes; beside `toil`, its readers ask for answers of which a \
         server can keep the smallest, the kernel the next, and neither the largest. Times are \
         those of good answers, from when the request was due. Whoever holds connections needs \
         some of the processors as well: slowhttptest a fifth of one."
    );
    beside::run(bench, "slow", about, &scenes, bench.turns.seconds * LONGER)
}
