//! The flags that say what the server tells about itself.

use std::path::Path;

use audit_log::otlp::{Receiver, ReceiverError};
use clap::{Args, ValueEnum};

use crate::access_log::Destination;

/// What is logged, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs and traces")]
pub struct LogFlags {
    /// How the log on standard error looks
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub log_format: LogFormat,

    /// Write a line for each request to this file, or - for standard output, in the
    /// combined format of web servers; SIGHUP opens the file anew [default: nowhere]
    #[arg(long, value_name = "FILE")]
    pub access_log: Option<String>,

    /// Send a span for each request to this receiver of OpenTelemetry traces
    /// (otlp://HOST:PORT, protobuf over HTTP) [default: to nobody]
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
}

impl LogFlags {
    /// Where the lines about requests go.
    #[must_use]
    pub fn destination(&self) -> Option<Destination> {
        let path = self.access_log.as_deref()?;
        Some(Destination::of(Path::new(path)))
    }

    /// Where the traces go.
    ///
    /// # Errors
    ///
    /// Fails if the URL names no receiver.
    pub fn receiver(&self) -> Result<Option<Receiver>, ReceiverError> {
        self.otlp.as_deref().map(str::parse).transpose()
    }
}

/// How a log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Human,
    /// A JSON object a line
    Json,
}
