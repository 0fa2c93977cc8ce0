//! The series. A new one is a file here, its `mod` line, an entry of [`SERIES`], and a row in the
//! README.
//!
//! - [`main`]: every server, with 32 connections and a short message.
//! - [`parts`]: compositions of 2 to 20 parts.
//! - [`echo`]: bodies of up to 10 MiB that stream through a guest.
//! - [`middleware`]: a gate in front of a component, composed with it or connected by the server.
//! - [`memory`]: the time from process start to the first answer, and the memory of a live instance.
//! - [`audit`]: with a durable audit log and without.
//! - [`forward`]: while that log is forwarded.
//! - [`slow`]: well-behaved clients next to slow ones.
//! - [`overload`]: ten times as many requests as the server can answer.
//! - [`functions`]: a thousand functions in one server.
//! - [`fairness`]: well-behaved functions next to others that spin, leak, flood or are overloaded.
//! - [`contention`]: CPU-bound guests next to busy loops of other programs.
//!
//! [`interference`] is shared by those about well-behaved clients, [`calibrate`] by those about
//! CPU-bound guests.

mod audit;
mod calibrate;
mod contention;
mod echo;
mod fairness;
mod forward;
mod functions;
mod interference;
mod main;
mod memory;
mod middleware;
mod overload;
mod parts;
mod slow;

use anyhow::{Context, Result};

use crate::load::job::Job;
use crate::measure::Bench;
use crate::programs::Programs;
use crate::report::Report;
use crate::servers::{FRESH, Server};

/// The name of the main series.
pub(crate) const MAIN: &str = "main";

/// A name, and how the series is measured.
type Series = (&'static str, fn(&Bench) -> Result<Report>);

/// All series.
const SERIES: &[Series] = &[
    (MAIN, main::run),
    ("parts", parts::run),
    ("echo", echo::run),
    ("memory", memory::run),
    ("middleware", middleware::run),
    ("audit", audit::run),
    ("forward", forward::run),
    ("slow", slow::run),
    ("overload", overload::run),
    ("functions", functions::run),
    ("fairness", fairness::run),
    ("contention", contention::run),
];

/// The message of every series that does not vary it.
const MESSAGE: &str = "hello world";

const OURS: &str = "component-runner";
/// Ours with a composition whose parts were fused into one core module.
const OURS_FUSED: &str = "component-runner, fused";
const NATIVE: &str = "native";
const PEER: &str = "wasmtime serve";
const TUNED_PEER: &str = "wasmtime serve, tuned";

/// Ours with a component for WASI 0.3.
const OURS_03: &str = "component-runner, 0.3";
/// The peer with the same one, as it comes: it reuses instances.
const PEER_03: &str = "wasmtime serve, 0.3";
/// The same with an instance for each request, as ours.
const FRESH_PEER_03: &str = "wasmtime serve, 0.3, fresh";

/// The names of all series.
pub(crate) fn names() -> Vec<&'static str> {
    SERIES.iter().map(|(name, _)| *name).collect()
}

/// Measures the series of this name.
pub(crate) fn run(name: &str, bench: &Bench) -> Result<Report> {
    let series = SERIES.iter().find(|(known, _)| *known == name);
    let (_, run) = series.with_context(|| format!("unknown series `{name}`"))?;
    run(bench)
}

/// Whether this is the name of a server of WASI 0.3.
fn is_03(server: &str) -> bool {
    matches!(server, OURS_03 | PEER_03 | FRESH_PEER_03)
}

/// The servers of WASI 0.3 with the composition of the main series, and with flags of ours and of the
/// peer.
fn servers_03(programs: &Programs, ours: &[&str], peer: &[&str]) -> [(&'static str, Server); 3] {
    [
        (OURS_03, Server::ours(programs, ours)),
        (PEER_03, Server::wasmtime(programs, &[peer])),
        (FRESH_PEER_03, Server::wasmtime(programs, &[FRESH, peer])),
    ]
    .map(|(name, server)| (name, server.serving(&programs.component_03)))
}

/// The job of every series that does not vary it.
pub(crate) fn message() -> Job {
    Job::encrypt(MESSAGE)
}
