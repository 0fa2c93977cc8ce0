//! The log of the program on standard error.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};
use std::time::Duration;
use std::{env, thread};

use host::cli::LogFormat;
use telemetry::server_log::{self, Json, Stderr, has_color, text_fields};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Timeout for writing the last lines: a stalled reader does not block the exit of the program.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Writes the last lines on drop, also after a panic.
pub(crate) struct FlushOnDrop(());

impl Drop for FlushOnDrop {
    fn drop(&mut self) {
        server_log::close(FLUSH_TIMEOUT);
    }
}

/// Starts logging to standard error with the filter in `RUST_LOG`; by default the level `info`,
/// without lines of libraries about each connection and each outbound request, with which guests
/// could fill the log.
pub(crate) fn init(format: LogFormat) -> FlushOnDrop {
    let is_chosen = env::var_os("RUST_LOG").is_some_and(|chosen| !chosen.is_empty());
    let filter = if is_chosen {
        EnvFilter::builder()
            .with_default_directive(LevelFilter::INFO.into())
            .from_env_lossy()
    } else {
        EnvFilter::new("info,async_nats=warn,wasmtime_wasi_http=error")
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Stderr)
        // An error of the log cannot be reported in the log.
        .log_internal_errors(false);
    match format {
        LogFormat::Human => builder
            .with_ansi(io::stderr().is_terminal() && has_color(|name| env::var_os(name)))
            .fmt_fields(text_fields())
            .init(),
        LogFormat::Json => {
            server_log::use_json();
            builder.event_format(Json).init();
        }
    }
    FlushOnDrop(())
}

/// Switches to a queue, as a server requires: no thread blocks on the reader of standard error, not
/// even one that panics.
///
/// # Errors
///
/// Fails if no thread can be created.
pub(crate) fn stop_blocking() -> io::Result<()> {
    server_log::start()?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let place = panic.location().map(tracing::field::display);
    let message = panic.payload_as_str().unwrap_or("panic");
    let backtrace = Backtrace::capture();
    let is_captured = backtrace.status() == BacktraceStatus::Captured;
    let backtrace = is_captured.then(|| tracing::field::display(backtrace));
    tracing::error!(thread, place, backtrace, "panicked: {message}");
}
