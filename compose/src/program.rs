//! The parts of the program.
//!
//! - `cli`: the flags
//! - `commands`: one function for each command
//! - `files`: reading components and writing results

mod cli;
mod commands;
mod files;

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

pub(crate) use cli::Cli;
use commands::Failure;
pub(crate) use commands::Outcome;

/// Runs the command line. A panic is reported like any other failure, as one
/// message.
pub(crate) fn run(cli: Cli) -> Result<Outcome, Failure> {
    // The library catches panics of `wac`; nothing may be printed for those.
    set_hook(Box::new(|_| {}));
    // Unwind safety: nothing is used again after a panic.
    catch_unwind(AssertUnwindSafe(|| commands::run(cli))).unwrap_or_else(|payload| {
        let reason = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        Err(Failure::Run(anyhow::anyhow!(
            "this is a bug in component-compose: {reason}"
        )))
    })
}

/// An error and its causes on one line, without a backtrace.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let causes = format!("{error:#}");
    let lines: Vec<&str> = causes.lines().map(str::trim).collect();
    lines.join(" ")
}
