//! A server that is measured in turns, each with a new process.

use anyhow::Result;
use serde::Serialize;

use crate::figures::stats::Summary;
use crate::series::{median, range};
use crate::servers::Server;

/// A server, and the figures of its turns.
#[derive(Serialize)]
pub(crate) struct Target<T> {
    pub(crate) name: String,
    #[serde(skip)]
    pub(crate) server: Server,
    pub(crate) turns: Vec<T>,
    /// Why there are no figures.
    pub(crate) failure: Option<String>,
}

impl<T> Target<T> {
    pub(crate) fn new(name: impl Into<String>, server: Server) -> Self {
        Self {
            name: name.into(),
            server,
            turns: Vec::new(),
            failure: None,
        }
    }

    /// A figure over all turns; none if it is missing in one of them, or the server failed.
    pub(crate) fn summary(&self, figure: impl Fn(&T) -> Option<f64>) -> Option<Summary> {
        let figures: Option<Vec<f64>> = self.turns.iter().map(figure).collect();
        Summary::of(figures.filter(|_| self.failure.is_none())?)
    }

    /// The median of a figure for a cell.
    pub(crate) fn median(&self, figure: impl Fn(&T) -> Option<f64>) -> String {
        median(self.summary(figure))
    }

    /// Minimum, median and maximum of a figure for a cell.
    pub(crate) fn range(&self, figure: impl Fn(&T) -> Option<f64>) -> String {
        range(self.summary(figure))
    }

    /// Takes a turn. The server is not measured again after a failure.
    pub(crate) fn take(&mut self, turn: impl FnOnce(&Self) -> Result<T>) -> Option<&T> {
        if self.failure.is_some() {
            return None;
        }
        match turn(self) {
            Ok(turn) => {
                self.turns.push(turn);
                self.turns.last()
            }
            Err(error) => {
                eprintln!("{} failed: {error:#}", self.name);
                self.failure = Some(format!("{error:#}"));
                None
            }
        }
    }

    /// The failure for the report.
    pub(crate) fn failure(&self) -> Option<String> {
        Some(format!("`{}`: {}", self.name, self.failure.as_ref()?))
    }
}

/// Each target's name and command line, without duplicates.
pub(crate) fn commands<T>(targets: &[Target<T>]) -> Vec<(String, String)> {
    let mut commands = Vec::new();
    for target in targets {
        let command = (target.name.clone(), target.server.shown());
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    commands
}
