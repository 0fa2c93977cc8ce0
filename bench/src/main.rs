//! The program `bench`: what a request costs `component-runner`, its peers, and
//! the same job done natively.
//!
//! - [`cli`], [`settings`]: the flags, and what they come to.
//! - [`series`]: what is measured; each series is one file and brings its goals.
//! - [`measure`]: one server under one load, and many of them in turn.
//! - [`servers`]: who is measured; a server that runs.
//! - [`composition`]: what is composed to be measured; [`functions`]: folders of many.
//! - [`load`]: the load generator, and the check that answers are right.
//! - [`machine`]: the kernel's accounting, and whether the machine was quiet.
//! - [`figures`]: medians, ranges, goals.
//! - [`report`], [`plot`]: what is printed and written.
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
            // The terminal is gone if this fails, and there is nobody to tell.
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

/// Measures what the flags ask for. It fails if a server did, not if a goal was
/// missed: how fast the machine is today is not an error.
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
