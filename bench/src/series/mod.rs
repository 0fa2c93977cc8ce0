//! What can be measured. A new series is a file here and a line in each of the
//! two lists below.
//!
//! - [`main`]: every server, with 32 connections and a short message.
//! - [`connections`]: from one connection to a thousand.
//! - [`parts`]: compositions of two parts to twenty.
//! - [`bodies`]: messages from 100 bytes to a mebibyte.
//! - [`echo`]: bodies that stream through, up to ten mebibytes.
//! - [`memory`]: what an instance takes that is alive.
//! - [`threads`]: with one thread and with two.
//! - [`start`]: from the start of the process to the first answer.
//! - [`audit`]: with a durable audit log and without.
//! - [`forward`]: while that log is forwarded.
//! - [`slow`]: good clients beside slow ones.
//! - [`spin`]: good clients beside guests that compute for ever.
//! - [`overload`]: ten times as many requests as the server can answer.
//! - [`idle`]: connections that are kept and say nothing.
//! - [`functions`]: a thousand functions in one server.
//! - [`fairness`]: good functions beside bad ones.
//! - [`contention`]: CPU-bound guests beside busy loops of other programs.
//!
//! [`beside`] is what those have in common that are about good clients.

mod audit;
mod beside;
mod bodies;
mod connections;
mod contention;
mod echo;
mod fairness;
mod forward;
mod functions;
mod idle;
mod main;
mod memory;
mod overload;
mod parts;
mod slow;
mod spin;
mod start;
mod threads;

use anyhow::Result;
use clap::ValueEnum;

use crate::figures::stats::Summary;
use crate::load::job::Job;
use crate::measure::{Bench, Case, Row, Sample};
use crate::plot::{Kind, Line};
use crate::report::Report;
use crate::report::table::figure;
use crate::servers::Server;

/// The message of every series that does not vary it.
const MESSAGE: &str = "hello world";

/// The connections of every series that does not vary them.
const CONNECTIONS: u32 = 32;

const OURS: &str = "component-runner";
/// Ours with a composition whose parts were made into one core module.
const OURS_FUSED: &str = "component-runner, fused";
const NATIVE: &str = "native";
const TUNED_PEER: &str = "wasmtime serve, tuned";

/// The name of a series on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Series {
    Main,
    Connections,
    Parts,
    Bodies,
    Echo,
    Memory,
    Threads,
    Start,
    Audit,
    Forward,
    Slow,
    Spin,
    Overload,
    Idle,
    Functions,
    Fairness,
    Contention,
}

impl Series {
    /// Measures it.
    pub(crate) fn run(self, bench: &Bench) -> Result<Report> {
        match self {
            Self::Main => main::run(bench),
            Self::Connections => connections::run(bench),
            Self::Parts => parts::run(bench),
            Self::Bodies => bodies::run(bench),
            Self::Echo => echo::run(bench),
            Self::Memory => memory::run(bench),
            Self::Threads => threads::run(bench),
            Self::Start => start::run(bench),
            Self::Audit => audit::run(bench),
            Self::Forward => forward::run(bench),
            Self::Slow => slow::run(bench),
            Self::Spin => spin::run(bench),
            Self::Overload => overload::run(bench),
            Self::Idle => idle::run(bench),
            Self::Functions => functions::run(bench),
            Self::Fairness => fairness::run(bench),
            Self::Contention => contention::run(bench),
        }
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

/// Ours and native, for series that vary the load.
fn ours_and_native(bench: &Bench) -> [Case; 2] {
    let programs = &bench.programs;
    [
        case(OURS, programs.ours(&[])),
        case(NATIVE, programs.native(&[])),
    ]
}

/// The rows of one server.
fn rows_of<'a>(rows: &'a [Row], name: &'a str) -> impl Iterator<Item = &'a Row> {
    rows.iter().filter(move |row| row.name == name)
}

/// Lines of ours and native, one point for each row.
fn lines(rows: &[Row], value: fn(&Sample) -> f64) -> Vec<Line> {
    [(OURS, Kind::Ours), (NATIVE, Kind::Native)]
        .map(|(name, kind)| line(rows, name, kind, value))
        .into()
}

/// The line of one server, one point for each of its rows.
fn line(rows: &[Row], name: &str, kind: Kind, value: fn(&Sample) -> f64) -> Line {
    Line {
        label: name.to_owned(),
        kind,
        points: rows_of(rows, name).map(|row| row.summary(value)).collect(),
    }
}

/// The median for a cell.
fn median(summary: Option<Summary>) -> String {
    summary.map_or_else(|| "failed".to_owned(), |summary| figure(summary.median))
}

/// Lowest, median and highest for a cell.
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
