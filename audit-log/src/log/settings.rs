//! How a log is kept.

use std::path::PathBuf;

use crate::Location;

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where.
    pub location: Location,
    /// What happens to entries that cannot be written.
    pub policy: Policy,
    /// The file of the key that signs checkpoints, made with a new log. By
    /// default it lies beside the log, and a log that is in no file has no
    /// checkpoints.
    pub key: Option<PathBuf>,
    /// A folder to which every checkpoint is copied.
    pub checkpoints: Option<PathBuf>,
    /// The name of a new log: letters, digits, `-` and `_`. By default that of the
    /// machine, and a random part.
    pub node: Option<String>,
    /// The version of the program, for the record of its start.
    pub version: &'static str,
}

impl Settings {
    /// A log at `location`, with defaults for all else.
    #[must_use]
    pub fn new(location: Location) -> Self {
        Self {
            location,
            policy: Policy::default(),
            key: None,
            checkpoints: None,
            node: None,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// What happens to entries that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Whoever appends is told, and must not act.
    #[default]
    FailClosed,
    /// They are dropped and counted, and whoever appends goes on.
    BestEffort,
}
