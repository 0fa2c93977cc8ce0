//! Guests of WASI 0.3 over HTTP, with the package `hostile-03-guest`, which has a behaviour at each
//! path.

mod after_response;
mod bodies;
mod duplex;
mod functions;
mod isolation;
mod middleware;
mod operators;
mod outbound;
mod parts;
mod reuse;
mod tables;

use std::path::PathBuf;

use end_to_end::operators::Operators;
use end_to_end::{Setup, TestHost, artifacts};

/// The component.
fn component() -> PathBuf {
    artifacts::test_guest("hostile-03")
}

/// The command line of a server of it, under the name `hostile_03_guest`.
fn guest() -> Setup {
    TestHost::serve(component())
}

/// Waits until no request runs, and the pool has everything back.
#[track_caller]
fn wait_until_idle(operators: &Operators) {
    let idle = operators.wait_until_idle();
    idle.unwrap_or_else(|why| panic!("{why}"));
}
