//! Ends the server with SIGTERM again and again while clients send, and looks each
//! time whether every request that it had accepted was answered.
//!
//! - this file: [`run`], which goes from round to round, and what it counts.
//! - `round.rs`: one server, from its start until it has ended.
//! - `clients.rs`: the clients, each of which does one thing over and over.
//! - `fate.rs`: what became of a request, and which requests must be answered.

mod clients;
pub mod fate;
mod round;

use std::fmt;
use std::path::PathBuf;

use crate::guests::Guest;
use crate::random::Random;
use fate::Fate;

/// What is done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How often a server is ended.
    pub rounds: u32,
    /// What all choices come from.
    pub seed: u64,
}

/// What was seen, in all rounds together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many servers were ended, each with the exit status 0.
    pub rounds: u32,
    /// Requests that were answered with a receipt.
    pub answered: u64,
    /// Those of them whose answer came after the signal.
    pub answered_after: u64,
    /// Those of these that had been sent only in part when the signal came.
    pub completed_after: u64,
    /// Requests on connections that had been used before, which the server closed at
    /// the same moment: HTTP/1.1 leaves it to the client to send them again.
    pub raced: u64,
    /// The same on connections that were made before the signal and not used until then.
    pub raced_unused: u64,
    /// Requests on connections whose end the client could see when it had sent them.
    pub too_late: u64,
    /// Connections that were made after the signal, and ended without an answer.
    pub turned_away: u64,
    /// Attempts to connect that were refused.
    pub refused: u64,
    /// Records of guests in all audit logs.
    pub records: u64,
}

/// Something that must not be.
#[derive(Debug, thiserror::Error)]
#[error("in round {round}: {why}; the audit log is in `{}`", folder.display())]
pub struct Violation {
    /// The round, counted from 1.
    pub round: u32,
    /// What is wrong.
    pub why: String,
    /// Where the log of the server is.
    pub folder: PathBuf,
}

/// Goes through all rounds, and calls `progress` after each.
///
/// # Errors
///
/// Ends with the first thing that must not be: a request that was accepted and not
/// answered, an answer that is none, a server that does not end with 0, an audit log
/// without an entry that a client has a receipt for.
pub fn run(plan: &Plan, mut progress: impl FnMut(&Summary)) -> Result<Summary, Violation> {
    let guest = Guest::assemble("appender");
    let mut random = Random::new(plan.seed);
    let mut summary = Summary::default();
    for round in 1..=plan.rounds {
        let folder = tempfile::tempdir().expect("a folder");
        let seen = round::run(&guest, folder.path(), round, &mut random);
        if let Err(why) = seen.and_then(|seen| summary.add(&seen)) {
            let folder = folder.keep();
            return Err(Violation { round, why, folder });
        }
        progress(&summary);
    }
    Ok(summary)
}

impl Summary {
    /// Adds what one round showed, unless it must not be.
    fn add(&mut self, seen: &round::Seen) -> Result<(), String> {
        let mut lost = Vec::new();
        self.rounds += 1;
        self.records += seen.records;
        self.refused += seen.refused;
        for request in &seen.requests {
            let is_after = request.ended > seen.signal;
            match request.fate(seen.signal, seen.is_recorded(request)) {
                Fate::Answered => {
                    self.answered += 1;
                    self.answered_after += u64::from(is_after);
                    self.completed_after += u64::from(is_after && request.halved);
                }
                Fate::Raced => self.raced += 1,
                Fate::RacedUnused => self.raced_unused += 1,
                Fate::TooLate => self.too_late += 1,
                Fate::TurnedAway => self.turned_away += 1,
                Fate::Lost(why) => lost.push(format!("`{}` {why}", request.value)),
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        Err(format!("{} lost: {}", lost.len(), lost.join("; ")))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rounds,
            answered,
            answered_after,
            completed_after,
            raced,
            raced_unused,
            too_late,
            turned_away,
            refused,
            records,
        } = self;
        write!(
            f,
            "{rounds} servers ended, all with 0; {answered} requests answered, {answered_after} of \
             them after the signal, {completed_after} of which had been sent in part; none that \
             was accepted lost; {records} records in the audit logs.\n\
             Not accepted: {raced} on kept connections that were closed at the same moment, \
             {raced_unused} on unused ones, {too_late} on connections whose end could be seen, \
             {turned_away} on connections made after the signal; {refused} connections refused"
        )
    }
}
