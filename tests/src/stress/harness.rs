//! Rounds, violations and the server whose audit log is checked.

use std::fmt::Display;
use std::path::PathBuf;

use audit_log::Location;
use tempfile::TempDir;

use crate::guests::Guest;
use crate::{Starting, TestHost};

/// Number of rounds, and the seed of all random choices.
///
/// The moments of signals come from the seed, too; what the server does at such a moment does
/// not.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// Number of servers that are ended, one after the other.
    pub count: u32,
    /// Equal seeds give equal choices.
    pub seed: u64,
}

/// A promise that the server broke.
#[derive(Debug, thiserror::Error)]
#[error("round {round}: {reason}; its files are in `{}`", folder.display())]
pub struct Violation {
    /// The round, counted from 1.
    pub round: u32,
    /// What was expected and found.
    pub reason: String,
    /// Folder with the audit log, which is kept.
    pub folder: PathBuf,
}

impl Violation {
    /// Keeps the folder of the round as evidence.
    #[must_use]
    pub fn keep(round: u32, reason: String, folder: TempDir) -> Self {
        Self {
            round,
            reason,
            folder: folder.keep(),
        }
    }
}

/// Starts a server of `guest` with this audit log, without waiting until it listens.
pub(super) fn start(guest: &Guest, log: &Location) -> Starting {
    TestHost::serve(guest.path())
        .flag("--audit", log.to_string())
        .start_without_waiting()
}

/// The text of a report without violations.
///
/// # Errors
///
/// Prints the report and returns the violations, one per line.
pub fn judge(report: &impl Display, violations: &[String]) -> Result<String, String> {
    if violations.is_empty() {
        return Ok(report.to_string());
    }
    println!("{report}");
    let lines: Vec<_> = violations
        .iter()
        .map(|violation| format!("violation: {violation}"))
        .collect();
    Err(lines.join("\n"))
}
