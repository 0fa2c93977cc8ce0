//! The program `component-runner`: parse, bind, serve, exit code.

use std::fs::{self, DirBuilder};
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use audit_log::event::Event;
use audit_log::record::Subject;
use audit_log::{AuditLog, Location, Settings};
use host::cli::{Cli, Command, Serve};
use host::guest::{App, Surroundings};
use host::{ops, server};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::time::timeout;

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
    let settings = flags.audit.settings()?;
    // Requests run on threads of their own; this one only accepts.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = bind(flags.addr).await?;
        let ops_listener = match flags.ops_addr {
            Some(addr) => Some(bind(addr).await?),
            None => None,
        };
        let log = open(&settings)?;
        let served = async {
            let surroundings = Surroundings {
                name: name(&flags.component),
                environment: flags.environment.clone(),
                audit: log.clone(),
                quota: flags.audit.quota(),
            };
            let app = App::load(&bytes, surroundings)
                .with_context(|| format!("cannot serve `{path}`"))?;
            announce_component(&app).await?;
            let shutdown = signals::shutdown().context("cannot wait for signals")?;
            say(&settings, &format!("listening on http://{}", listener.local_addr()?));
            if let Some(listener) = ops_listener {
                let addr = listener.local_addr()?;
                say(&settings, &format!("metrics at http://{addr}/metrics"));
                tokio::spawn(ops::run(listener, log.clone()));
            }
            server::run(listener, app, flags.settings(), shutdown).await?;
            Ok(())
        };
        let result = served.await;
        // The last thing that happens is that the log says so.
        if timeout(flags.grace_period, log.close()).await.is_err() {
            tracing::error!("the audit log did not take its last records in time");
        }
        result
    })
}

async fn bind(addr: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(addr)
        .await
        .with_context(|| format!("cannot listen on `{addr}`"))
}

/// Opens the audit log. Only the default folder is made if it is not there: in
/// what the operator names, there may be a mistake.
fn open(settings: &Settings) -> Result<AuditLog> {
    if settings.location == Location::None {
        tracing::warn!("THERE IS NO AUDIT LOG: all entries are forgotten (--audit none)");
    } else {
        tracing::info!("the audit log is {}", settings.location);
    }
    if Location::default_place().is_ok_and(|place| place == settings.location)
        && let Some(folder) = settings.location.path().and_then(Path::parent)
    {
        let what = || format!("cannot make the folder `{}`", folder.display());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(what)?;
    }
    Ok(AuditLog::open(settings)?)
}

/// What a component is called: its file, without the folder and the extension.
fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    stem.to_string_lossy().into_owned()
}

async fn announce_component(app: &App) -> Result<()> {
    let subject = Subject {
        component: Some(app.component()),
        request: None,
    };
    let event = Event::ComponentLoad { replaces: None };
    app.audit()
        .record(subject, &event)
        .await
        .context("the audit log took no record of the component")?;
    Ok(())
}

/// Tells whoever started the server, unless standard output is for records alone.
fn say(settings: &Settings, text: &str) {
    // Serving does not depend on somebody who reads this.
    let _ = if settings.location == Location::Stdout {
        writeln!(io::stderr(), "{text}")
    } else {
        writeln!(io::stdout(), "{text}")
    };
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
