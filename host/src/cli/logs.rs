//! The flags that say what the server tells about itself.

use std::convert::Infallible;

use audit_log_forward::otlp::Receiver;
use clap::{Args, ValueEnum};

use telemetry::access_log::Destination;

/// What is logged, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs and traces")]
pub struct LogFlags {
    /// How the log on standard error looks
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub log_format: LogFormat,

    /// Write a line for each request to this file, or - for standard output, in the
    /// combined format of web servers; SIGHUP opens the file anew [default: nowhere]
    #[arg(long, value_name = "FILE", value_parser = destination)]
    pub access_log: Option<Destination>,

    /// Send a span for each request to this receiver of OpenTelemetry traces
    /// (otlp://HOST:PORT, protobuf over HTTP) [default: to nobody]
    #[arg(long, value_name = "URL")]
    pub otlp: Option<Receiver>,
}

/// How a log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Human,
    /// A JSON object a line
    Json,
}

#[expect(clippy::unnecessary_wraps, reason = "what clap expects of a parser")]
fn destination(text: &str) -> Result<Destination, Infallible> {
    Ok(Destination::from_path(text.as_ref()))
}
