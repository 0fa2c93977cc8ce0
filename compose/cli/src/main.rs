//! The program `component-compose`: parse, run, exit code.
//!
//! The library `compose` transforms bytes; the program reads and writes files and prints.
//!
//! - `args`: the flags
//! - `commands`: one function per command
//! - `failure`: failures and their exit codes
//! - `files`: input files, and atomic output
//! - `run`: the execution of a command line, with reporting of its failure

mod args;
mod commands;
mod failure;
mod files;
mod run;

use std::process::ExitCode;

use args::Cli;
use clap::Parser;
use failure::Exit;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` are errors of clap as well. If the message cannot be
            // written, the exit code still reports the outcome.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(Exit::Usage as u8)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match run::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => ExitCode::from(exit as u8),
    }
}
