//! The settings of a log.

use std::path::PathBuf;

use crate::Location;

/// The settings of a log.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The location.
    pub location: Location,
    /// The policy for entries that cannot be written.
    pub policy: Policy,
    /// The file of the key that signs checkpoints, created with a new log. By default it is in
    /// the folder of the log, and a log without a file has no checkpoints.
    pub key: Option<PathBuf>,
    /// The folder to which every checkpoint is copied.
    pub checkpoints: Option<PathBuf>,
    /// The name of a new log: letters, digits, `-` and `_`. By default the name of the machine
    /// and a random part.
    pub node: Option<String>,
    /// The version of the program, for the record of the start.
    pub version: &'static str,
}

impl Settings {
    /// The default settings of a log at `location`.
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

/// The policy for entries that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// The caller gets an error, and must not perform the action.
    #[default]
    FailClosed,
    /// The entry is dropped and counted, and the caller continues.
    BestEffort,
}
