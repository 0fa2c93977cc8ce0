//! Good clients beside guests that compute for ever.

use std::thread::available_parallelism;

use anyhow::Result;

use super::OURS;
use super::beside::{self, GOOD_CLIENTS, Scene};
use crate::load::again;
use crate::load::job::Job;
use crate::measure::Bench;
use crate::plot::Kind;
use crate::report::Report;
use crate::servers::programs::guest;

/// How many times the length of an ordinary turn one lasts: a server needs time to
/// lose its patience.
const LONGER: u32 = 6;

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let server = bench.programs.ours(&[]).serving(&guest("toil")?);
    let spinners = available_parallelism().map_or(1, usize::from);
    let alone = Scene::alone(Kind::Ours, OURS, server, Job::good());
    let beside = alone.beside(
        format!("{spinners} guests that spin"),
        move |addr, duration| Ok(again::ask(addr, "/spin", spinners, duration)),
    );
    let about = format!(
        "{GOOD_CLIENTS} good clients send a request every 10 ms each, at first alone, and then \
         beside one guest for each processor ({spinners}) that computes for ever. Where the \
         server ends such a guest, its client asks for the next one."
    );
    beside::run(
        bench,
        "spin",
        about,
        &[alone, beside],
        bench.turns.seconds * LONGER,
    )
}
