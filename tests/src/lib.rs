//! Tests of the real programs, as a user runs them: over HTTP, by their flags,
//! signals, logs and exit codes. The tests are in `tests/`, one file for each
//! theme; this library is what they share.
//!
//! - [`TestHost`]: `component-runner serve` on a free port, stopped when dropped.
//! - [`Peer`]: another host, `wasmtime serve`, in the same clothes.
//! - [`client`]: HTTP/1.1 by hand, so that a test can send half a request.
//! - [`corpus`]: requests that are malformed, ambiguous or smuggle another.
//! - [`http2`]: HTTP/2 by hand, frame by frame.
//! - [`upstream`]: the server that guests send requests to, played by the test.
//! - [`cases`]: the table of requests and what has to come back.
//! - [`guests`]: components that misbehave, assembled from `guests/*.wat`.
//! - [`hostile`]: guests that harm whoever runs them, and what must come of it.
//! - [`functions`]: a folder of functions, for servers of many.
//! - [`audit`]: what is in an audit log, once the server has written it.
//! - [`operators`]: what those see who operate a server.
//! - [`collector`]: a receiver of traces.
//! - `compilers`: the processes in which a server compiles, and what keeps one busy.
//! - [`torture`]: kills the server again and again, and reads the log after each.
//! - [`drain`]: ends the server again and again while clients send.
//! - [`redeploy`]: kills the server again and again while a function is deployed.
//! - [`churn`]: changes functions again and again while clients send.
//! - [`soak`]: keeps the server busy for minutes, and looks whether it stays as it is.
//! - [`pressure`]: a server in little memory, with guests that take what they can get.
//! - [`program`]: what the programs of the last six have in common.
//! - [`strace`]: system calls that fail for a while.
//! - [`random`]: numbers that look random and come again with the same seed.
//! - [`artifacts`]: where the programs and the components are.
//! - [`installed`]: programs that others have made.
//! - [`process`] and [`output`]: a program that runs, and what it prints.
//! - [`wait`]: looks again until a condition holds.
//!
//! A server writes its logs and counts its requests on threads of their own, so a test never
//! reads one of these once: it waits for a line, a byte, a condition or the end of a process,
//! and after [`DEADLINE`] it fails and shows what was there. What a server has ended, and the
//! records that it writes before it answers, can be read at once.
#![allow(
    clippy::missing_panics_doc,
    reason = "everything in here panics when something is not as a test needs it"
)]

pub mod artifacts;
pub mod audit;
pub mod cases;
pub mod churn;
pub mod client;
pub mod collector;
#[cfg(target_os = "linux")]
pub mod compilers;
pub mod corpus;
pub mod drain;
pub mod functions;
pub mod guests;
pub mod hostile;
pub mod http2;
pub mod installed;
pub mod operators;
pub mod output;
pub mod pressure;
pub mod process;
pub mod program;
pub mod random;
pub mod redeploy;
pub mod soak;
pub mod strace;
pub mod torture;
pub mod upstream;
pub mod wait;

mod peer;
mod test_host;

use std::time::Duration;

pub use peer::Peer;
pub use test_host::{Setup, Starting, TestHost};

/// How long anything may take. It is far beyond what is usual, so that a busy
/// machine fails no test.
pub const DEADLINE: Duration = Duration::from_secs(30);
