//! The program `component-runner`: parse, do what was asked for, exit code.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use audit_log::program;
use host::cli::{Cli, Command};

mod check;
mod inputs;
mod serve;
mod signals;

/// A request makes and drops many small things on one thread, which is what this
/// allocator is best at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code for a wrong command line (`EX_USAGE` of `sysexits.h`).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let command = match Cli::read(env::args_os()) {
        Ok(cli) => cli.command,
        Err(error) => {
            // The terminal is gone if this fails, and there is nobody to tell.
            let _ = error.print();
            let code = if error.use_stderr() { USAGE } else { 0 };
            return ExitCode::from(code);
        }
    };
    init_logging();
    let done = match command {
        Command::Serve(flags) if flags.check => check::check(&flags).map(|()| true),
        Command::Serve(flags) => serve::serve(&flags).map(|()| true),
        Command::Audit(command) => program::run(&command),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        // What was found was said where it was found.
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Whoever closed standard error does not want to read it.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Logs to standard error. `RUST_LOG` chooses what; by default it is everything
/// from `info` on, without what a library says about each of its connections.
fn init_logging() {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::filter::LevelFilter;

    let is_chosen = env::var_os("RUST_LOG").is_some_and(|chosen| !chosen.is_empty());
    let filter = if is_chosen {
        EnvFilter::builder()
            .with_default_directive(LevelFilter::INFO.into())
            .from_env_lossy()
    } else {
        EnvFilter::new("info,async_nats=warn")
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // What cannot be logged cannot be complained of in the log either.
        .log_internal_errors(false)
        .init();
}
