//! End-to-end tests of the programs: over HTTP, by their flags, signals, logs and exit codes. The
//! tests are in `tests/`, one file per theme; this library is the code that they share.
//!
//! - [`TestHost`]: `component-runner serve` on a free port, stopped when dropped.
//! - [`Peer`]: `wasmtime serve`, to compare with.
//! - [`client`]: an HTTP/1.1 client that can send incomplete and invalid requests.
//! - [`corpus`]: malformed, ambiguous and smuggling requests.
//! - [`http2`]: an HTTP/2 client at the level of frames.
//! - [`upstream`]: the server that guests send requests to, played by the test.
//! - [`cases`]: the table of requests and expected responses.
//! - [`guests`]: components that misbehave, assembled from `guests/*.wat`.
//! - [`functions`]: folders of functions.
//! - [`audit`]: the records of an audit log.
//! - [`operators`]: health, metrics and the admin interface.
//! - [`collector`]: a receiver of OpenTelemetry traces.
//! - `compilers`: the processes in which a server compiles.
//! - [`stress`]: minutes of kills, load, hostile guests and little memory.
//! - [`strace`]: system calls that fail for a while.
//! - [`random`]: pseudo-random numbers with a seed.
//! - [`artifacts`]: paths of the programs and components.
//! - [`installed`]: programs of other projects.
//! - [`process`] and [`output`]: a running program, and its output.
//! - [`concurrent`]: threads that run next to the work of a test.
//! - [`wait`]: polls until a condition holds.
//!
//! A server writes its logs and counts its requests on other threads, so a test never reads one of
//! these once: it waits for a line, a byte, a condition or the end of a process, and after
//! [`DEADLINE`] it fails and shows the last state. The records that a server writes before it
//! answers, and everything after its end, can be read at once.
#![allow(
    clippy::missing_panics_doc,
    reason = "helpers panic where a test would fail"
)]

pub mod artifacts;
pub mod audit;
pub mod cases;
pub mod client;
pub mod collector;
#[cfg(target_os = "linux")]
pub mod compilers;
pub mod concurrent;
pub mod corpus;
pub mod functions;
pub mod guests;
pub mod http2;
pub mod installed;
pub mod operators;
pub mod output;
pub mod process;
pub mod random;
pub mod strace;
pub mod stress;
pub mod upstream;
pub mod wait;

mod peer;
mod test_host;

use std::time::Duration;

pub use peer::Peer;
pub use test_host::{Setup, Starting, TestHost, app};

/// Timeout of every wait: far beyond the usual time, so that no test fails on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(30);
