//! The program `component-runner`: parse, bind, serve, exit code.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use host::audit::{AuditLog, JsonLines};
use host::cli::{Cli, Command, Serve};
use host::guest::App;
use host::server;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

mod signals;

/// A request makes and drops many small things on one thread, which is what this
/// allocator is best at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code for a wrong command line (`EX_USAGE` of `sysexits.h`).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let Command::Serve(flags) = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => {
            // The terminal is gone if this fails, and there is nobody to tell.
            let _ = error.print();
            let code = if error.use_stderr() { USAGE } else { 0 };
            return ExitCode::from(code);
        }
    };
    init_logging();
    match serve(&flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever closed standard error does not want to read it.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: &Serve) -> Result<()> {
    let path = flags.component.display();
    let bytes = fs::read(&flags.component).with_context(|| format!("cannot read `{path}`"))?;
    let sink = match &flags.audit_file {
        Some(path) => JsonLines::open(path)?,
        None => JsonLines::stderr(),
    };
    let audit = AuditLog::start(sink).context("cannot start the audit log")?;
    let app = App::load(&bytes, flags.environment.clone(), audit)
        .with_context(|| format!("cannot serve `{path}`"))?;

    // Requests run on threads of their own; this one only accepts.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let addr = flags.addr;
        let listener = TcpListener::bind(addr)
            .await
            .with_context(|| format!("cannot listen on `{addr}`"))?;
        let shutdown = signals::shutdown().context("cannot wait for signals")?;
        let bound = listener.local_addr()?;
        // Serving does not depend on somebody who reads this.
        let _ = writeln!(io::stdout(), "listening on http://{bound}");
        server::run(listener, app, flags.settings(), shutdown).await?;
        Ok(())
    })
}

/// Logs to standard error. `RUST_LOG` chooses what; by default it is everything
/// from `info` on.
fn init_logging() {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::filter::LevelFilter;

    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // What cannot be logged cannot be complained of in the log either.
        .log_internal_errors(false)
        .init();
}
