//! What can be measured. A new series is a file here and a line in each of the two lists below.
//!
//! - [`main`]: every server, with 32 connections and a short message.
//! - [`parts`]: compositions of 2 to 20 parts.
//! - [`echo`]: bodies of up to 10 MiB that stream through a guest.
//! - [`memory`]: the memory of a live instance.
//! - [`start`]: from process start to the first answer.
//! - [`audit`]: with a durable audit log and without.
//! - [`forward`]: while that log is forwarded.
//! - [`slow`]: well-behaved clients next to slow ones.
//! - [`overload`]: ten times as many requests as the server can answer.
//! - [`functions`]: a thousand functions in one server.
//! - [`fairness`]: well-behaved functions next to others that spin, leak, flood or are overloaded.
//! - [`contention`]: CPU-bound guests next to busy loops of other programs.
//!
//! [`interference`] is shared by those about well-behaved clients, [`target`] by those that measure
//! each server in turns of their own.

mod audit;
mod contention;
mod echo;
mod fairness;
mod forward;
mod functions;
mod interference;
mod main;
mod memory;
mod overload;
mod parts;
mod slow;
mod start;
pub(crate) mod target;

use anyhow::Result;
use clap::ValueEnum;

use crate::figures::stats::Summary;
use crate::load::job::Job;
use crate::measure::{Bench, Case, Row};
use crate::report::Report;
use crate::report::table::figure;
use crate::servers::Server;

/// The message of every series that does not vary it.
const MESSAGE: &str = "hello world";

/// The connections of every series that does not vary them.
const CONNECTIONS: u32 = 32;

const OURS: &str = "component-runner";
/// Ours with a composition whose parts were fused into one core module.
const OURS_FUSED: &str = "component-runner, fused";
const NATIVE: &str = "native";
const PEER: &str = "wasmtime serve";
const TUNED_PEER: &str = "wasmtime serve, tuned";

/// The name of a series on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Series {
    Main,
    Parts,
    Echo,
    Memory,
    Start,
    Audit,
    Forward,
    Slow,
    Overload,
    Functions,
    Fairness,
    Contention,
}

impl Series {
    /// Measures it.
    pub(crate) fn run(self, bench: &Bench) -> Result<Report> {
        match self {
            Self::Main => main::run(bench),
            Self::Parts => parts::run(bench),
            Self::Echo => echo::run(bench),
            Self::Memory => memory::run(bench),
            Self::Start => start::run(bench),
            Self::Audit => audit::run(bench),
            Self::Forward => forward::run(bench),
            Self::Slow => slow::run(bench),
            Self::Overload => overload::run(bench),
            Self::Functions => functions::run(bench),
            Self::Fairness => fairness::run(bench),
            Self::Contention => contention::run(bench),
        }
    }

    /// Position of the series with this name among all of them.
    pub(crate) fn position(name: &str) -> Option<usize> {
        let mut all = Self::value_variants().iter();
        all.position(|series| {
            let value = series.to_possible_value();
            value.is_some_and(|value| value.get_name() == name)
        })
    }
}

/// A case with the usual load.
pub(crate) fn case(name: &str, server: Server) -> Case {
    let job = Job::Encrypt(MESSAGE.to_owned());
    Case {
        name: name.to_owned(),
        server,
        connections: CONNECTIONS,
        job,
    }
}

/// The rows of one server.
fn rows_of<'a>(rows: &'a [Row], name: &'a str) -> impl Iterator<Item = &'a Row> {
    rows.iter().filter(move |row| row.name == name)
}

/// The median for a cell.
fn median(summary: Option<Summary>) -> String {
    summary.map_or_else(|| "failed".to_owned(), |summary| figure(summary.median))
}

/// Minimum, median and maximum for a cell.
pub(crate) fn range(summary: Option<Summary>) -> String {
    let text = |Summary { min, median, max }| {
        format!("{} / {} / {}", figure(min), figure(median), figure(max))
    };
    summary.map_or_else(|| "failed".to_owned(), text)
}

/// The ratio of two medians for a cell.
fn ratio(this: Option<Summary>, other: Option<Summary>) -> String {
    let ratio = this
        .zip(other)
        .map(|(this, other)| this.median / other.median);
    ratio.map_or_else(String::new, |ratio| format!("{} ×", figure(ratio)))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
