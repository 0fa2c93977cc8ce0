//! What can be measured. A new series is a file here and a line in each of the
//! two lists below.
//!
//! - [`main`]: every server, with 32 connections and a short message.
//! - [`connections`]: from one connection to a thousand.
//! - [`bodies`]: messages from 100 bytes to a mebibyte.
//! - [`threads`]: with one thread and with two.
//! - [`start`]: from the start of the process to the first answer.

mod bodies;
mod connections;
mod main;
mod start;
mod threads;

use anyhow::Result;
use clap::ValueEnum;

use crate::figures::stats::Summary;
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
const NATIVE: &str = "native";

/// The name of a series on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Series {
    Main,
    Connections,
    Bodies,
    Threads,
    Start,
}

impl Series {
    /// Measures it.
    pub(crate) fn run(self, bench: &Bench) -> Result<Report> {
        match self {
            Self::Main => main::run(bench),
            Self::Connections => connections::run(bench),
            Self::Bodies => bodies::run(bench),
            Self::Threads => threads::run(bench),
            Self::Start => start::run(bench),
        }
    }
}

/// A case with the usual load.
pub(crate) fn case(name: &str, server: Server) -> Case {
    let message = MESSAGE.to_owned();
    Case {
        name: name.to_owned(),
        server,
        connections: CONNECTIONS,
        message,
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
        .map(|(name, kind)| Line {
            label: name.to_owned(),
            kind,
            points: rows_of(rows, name).map(|row| row.summary(value)).collect(),
        })
        .into()
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
