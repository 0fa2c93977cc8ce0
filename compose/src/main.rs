//! The program `component-compose`: parse, run, exit code.
//!
//! What it does to bytes is in the library `compose`; what it does to files and
//! to the terminal is in the module [`program`].

mod program;

use std::process::ExitCode;

use clap::Parser;
use program::{Cli, Outcome, one_line, run};

/// The command did what it was asked for.
const DONE: u8 = 0;
/// Reading, writing or composing failed, or a check did not pass.
const FAILED: u8 = 1;
/// The command line cannot be used (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come this way, too. If even the message
            // cannot be written, the exit code still says what happened.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { DONE });
        }
    };
    match run(cli) {
        Ok(Outcome::Done) => ExitCode::from(DONE),
        Ok(Outcome::CheckFailed) => ExitCode::from(FAILED),
        Err(failure) => {
            eprintln!("error: {}", one_line(failure.cause()));
            ExitCode::from(if failure.is_usage() { USAGE } else { FAILED })
        }
    }
}
