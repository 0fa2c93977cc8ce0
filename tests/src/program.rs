//! What the programs that do something over and over have in common.

use std::fmt::Display;
use std::process::ExitCode;

use clap::Args;

use crate::random::Random;

/// Where the choices of a run come from.
#[derive(Debug, Clone, Copy, Args)]
pub struct Seed {
    /// What all choices come from [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
}

impl Seed {
    /// The one that was given, or another one each time that this is asked for.
    #[must_use]
    pub fn or_fresh(self) -> u64 {
        self.seed.unwrap_or_else(Random::fresh_seed)
    }
}

/// Says how a run ended, and with which seed it can be done again.
pub fn end(ended: Result<impl Display, impl Display>, seed: u64) -> ExitCode {
    match ended {
        Ok(summary) => {
            println!("{summary} (seed {seed})");
            ExitCode::SUCCESS
        }
        Err(violation) => {
            eprintln!("{violation} (seed {seed})");
            ExitCode::FAILURE
        }
    }
}
