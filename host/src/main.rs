//! The program `component-runner`: command line, command, exit code.

use std::env;
use std::process::ExitCode;

use engine::ChildLimits;
use host::cli::{Cli, Command, FunctionsError, LogFormat};
use telemetry::server_log;

mod admin_client;
mod admin_services;
mod allocator;
mod announce;
mod check;
mod inputs;
mod logging;
mod serve;
mod signals;
mod workload;

/// Exit code for an invalid command line (`EX_USAGE` of `sysexits.h`).
const USAGE: u8 = 64;

/// Maximum length of an error that ends the program, in bytes.
const MAX_ERROR_BYTES: usize = 16 << 10;

fn main() -> ExitCode {
    // The hidden command of compile children, which neither help nor suggestions mention.
    if let Some(limits) = ChildLimits::from_args(env::args_os()) {
        return engine::compile_child(limits);
    }
    let command = match Cli::read(env::args_os()) {
        Ok(cli) => cli.command,
        Err(error) => {
            // Fails if the terminal is gone.
            let _ = error.print();
            let code = if error.use_stderr() { USAGE } else { 0 };
            return ExitCode::from(code);
        }
    };
    // Errors of wasmtime pass through guests, which could print paths of the build machine, and a
    // backtrace of the first trap costs 200 ms. Panics still have backtraces.
    wasmtime::error::disable_backtrace();
    let format = match &command {
        Command::Serve(flags) => flags.logs.log_format,
        _ => LogFormat::Human,
    };
    let _flush = logging::init(format);
    let done = match command {
        Command::Serve(flags) if flags.check => check::check(&flags).map(|()| true),
        Command::Serve(flags) => serve::serve(&flags).map(|()| true),
        Command::Audit(command) => audit_log_cli::run(&command),
        Command::Deploy(flags) => admin_client::deploy(&flags).map(|()| true),
        Command::List(flags) => admin_client::list(&flags).map(|()| true),
        Command::Logs(flags) => admin_client::logs(&flags).map(|()| true),
        Command::Rollback(flags) => admin_client::rollback(&flags).map(|()| true),
        Command::Pause(flags) => admin_client::pause(&flags).map(|()| true),
        Command::Resume(flags) => admin_client::resume(&flags).map(|()| true),
        Command::Remove(flags) => admin_client::remove(&flags).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        // The command has printed its findings.
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            if format == LogFormat::Json {
                tracing::error!("{error:#}");
            } else {
                let error = format!("{error:#}");
                let error = sanitize::lines(error).at_most(MAX_ERROR_BYTES);
                server_log::write(format!("error: {error}\n").into_bytes());
            }
            let is_usage = error.is::<FunctionsError>();
            if is_usage {
                ExitCode::from(USAGE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
