//! The program `bench`: the cost of a request to `component-runner`, its peers, and a native
//! server.
//!
//! - [`cli`]: the flags.
//! - [`series`]: what is measured; each series is one file with its goals.
//! - [`report`], [`plot`]: the reports and their pictures.
//! - [`tuning`]: the search for a peer's best flags.
//! - [`measure`]: servers that take turns, and disturbances.
//! - [`servers`]: the servers, with their flags; a running server.
//! - [`composition`]: compositions for the benchmark.
//! - [`load`]: load generators, which check the answers.
//! - [`programs`], [`process`]: paths, and child processes.
//! - [`machine`]: the machine, and the kernel's accounting.
//! - [`figures`]: medians, ranges, goals.

mod cli;
mod composition;
mod figures;
mod load;
mod machine;
mod measure;
mod plot;
mod process;
mod programs;
mod report;
mod series;
mod servers;
mod tuning;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use cli::Cli;
use measure::Bench;

/// The exit code for a wrong command line (`EX_USAGE` of `sysexits.h`).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // It fails only without a terminal.
            let _ = error.print();
            let code = if error.use_stderr() { USAGE } else { 0 };
            return ExitCode::from(code);
        }
    };
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the series of the flags. It fails if a server failed, not if a goal was missed.
fn run(cli: &Cli) -> Result<ExitCode> {
    process::end_with_this_program()?;
    let mut bench = Bench::new(cli.turns(series::MAIN))?;
    if cli.search {
        tuning::search(&bench)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut all_answered = true;
    let run = report::Run::begin(&bench)?;
    for name in cli.series() {
        bench.turns = cli.turns(name);
        let report = series::run(name, &bench)?;
        all_answered &= report.failures.is_empty();
        run.publish(&report, &series::names(), &cli.results())?;
    }
    Ok(ExitCode::from(u8::from(!all_answered)))
}
