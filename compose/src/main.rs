//! The program `component-compose`: parse, run, exit code.
//!
//! What it does to bytes is in the library `compose`; what it does to files and
//! to the terminal is in the module [`program`].

mod program;

use std::process::ExitCode;

use clap::Parser;
use program::{Cli, Exit, run};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come this way, too. If even the message
            // cannot be written, the exit code still says what happened.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(Exit::Usage as u8)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => ExitCode::from(exit as u8),
    }
}
