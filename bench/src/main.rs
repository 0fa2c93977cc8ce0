//! The program `bench`: the cost of a request to `component-runner`, its peers, and a native
//! server.
//!
//! - [`cli`], [`settings`]: the flags, and the settings from them.
//! - [`series`]: what is measured; each series is one file with its goals.
//! - [`measure`]: servers under load, in turn.
//! - [`servers`]: the servers, with their flags; a running server.
//! - [`composition`]: compositions for the benchmark; [`functions`]: folders of functions.
//! - [`load`]: load generators, which check the answers.
//! - [`machine`]: the kernel's accounting, and disturbances.
//! - [`figures`]: medians, ranges, goals.
//! - [`report`], [`plot`]: the reports and their pictures.
//! - [`tuning`]: the search for a peer's best flags.

mod cli;
mod composition;
mod figures;
mod functions;
mod load;
mod machine;
mod measure;
mod plot;
mod report;
mod series;
mod servers;
mod settings;
mod tuning;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use cli::Cli;
use measure::Bench;
use servers::process;
use settings::Settings;

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
    let mut bench = Bench::new(Settings::from(cli))?;
    if cli.search {
        tuning::search(&bench)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut all_answered = true;
    let run = report::Run::begin(&bench)?;
    for series in cli.series() {
        bench.turns = bench.settings.turns(series);
        let report = series.run(&bench)?;
        all_answered &= report.failures.is_empty();
        run.publish(&report, &bench.settings.results)?;
    }
    Ok(ExitCode::from(u8::from(!all_answered)))
}
