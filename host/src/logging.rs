//! The log on standard error.

use std::env;
use std::io::{self, IsTerminal};

use host::cli::LogFormat;
use host::guest::print_as_json;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Logs to standard error. `RUST_LOG` chooses what; by default it is everything
/// from `info` on, without what libraries say about each connection of theirs and about
/// each request of a guest: that would let guests fill the log.
pub(crate) fn init(format: LogFormat) {
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
        .with_writer(io::stderr)
        // What cannot be logged cannot be complained of in the log either.
        .log_internal_errors(false);
    match format {
        LogFormat::Human => builder.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => {
            print_as_json();
            builder
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .init();
        }
    }
}
