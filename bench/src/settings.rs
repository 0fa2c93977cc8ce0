//! How long and how often is measured.

use std::path::PathBuf;

use crate::cli::Cli;
use crate::servers::programs::{scratch, workspace};

/// What the flags come to.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// How often every server takes its turn.
    pub(crate) rounds: u32,
    /// How long one turn lasts, without warming up.
    pub(crate) seconds: u32,
    /// How often a server is started to see how long that takes.
    pub(crate) starts: u32,
    /// The folder for tables, figures and plots.
    pub(crate) results: PathBuf,
}

impl From<&Cli> for Settings {
    fn from(cli: &Cli) -> Self {
        // Rough figures do not belong where good ones may be.
        let (rounds, seconds, starts, results) = if cli.quick {
            (2, 1, 5, scratch())
        } else {
            (5, 3, 20, workspace().join("bench/results"))
        };
        Self {
            rounds: cli.rounds.unwrap_or(rounds),
            seconds: cli.seconds.unwrap_or(seconds),
            starts,
            results: cli.results.clone().unwrap_or(results),
        }
    }
}
