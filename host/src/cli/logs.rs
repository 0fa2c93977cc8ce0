//! Flags: server log, access log and traces.

use std::convert::Infallible;

use audit_log_forward::otlp::Receiver;
use clap::{Args, ValueEnum};
use telemetry::access_log::Destination;

/// Server log, access log and traces.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs and traces")]
pub struct LogFlags {
    /// Format of the log on standard error
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub log_format: LogFormat,

    /// Write a line for each request to this file, or - for standard output, in the
    /// combined log format; SIGHUP reopens the file [default: nowhere]
    #[arg(long, value_name = "FILE", value_parser = destination)]
    pub access_log: Option<Destination>,

    /// Export a span for each request to this OpenTelemetry collector (otlp://HOST:PORT,
    /// protobuf over HTTP) [default: none]
    #[arg(long, value_name = "URL")]
    pub otlp: Option<Receiver>,
}

/// Format of the server log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Human,
    /// One JSON object per line
    Json,
}

#[expect(clippy::unnecessary_wraps, reason = "what clap expects of a parser")]
fn destination(text: &str) -> Result<Destination, Infallible> {
    Ok(Destination::from_path(text.as_ref()))
}
