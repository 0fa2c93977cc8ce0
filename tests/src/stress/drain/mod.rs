//! Sends SIGTERM while clients send, and verifies each time that every request that the server
//! accepted was answered.
//!
//! - this file: [`run`], from round to round, and its counts.
//! - `round.rs`: one server, from its start to its end.
//! - `clients.rs`: the clients, each of which repeats one kind of exchange.
//! - `verdict.rs`: the outcome of a request, and which requests must be answered.

mod clients;
mod round;
pub mod verdict;

use std::fmt;

use super::harness::{Rounds, Violation};
use crate::guests::Guest;
use crate::random::Random;
use verdict::Verdict;

/// Counts over all rounds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Servers that ended, each with the exit status 0.
    pub rounds: u32,
    /// Requests that were answered with a receipt.
    pub answered: u64,
    /// Those of them whose answer came after the signal.
    pub answered_after: u64,
    /// Those of these that were complete only after the signal.
    pub completed_after: u64,
    /// Requests on used connections that the server closed at the same moment: HTTP/1.1 leaves
    /// it to the client to repeat them.
    pub raced: u64,
    /// The same on connections that were made before the signal and not used until then.
    pub raced_unused: u64,
    /// Requests on connections whose end the client could see when it had sent them.
    pub already_closed: u64,
    /// Connections made after the signal that ended without an answer.
    pub not_accepted: u64,
    /// Refused connection attempts.
    pub refused: u64,
    /// Records of guests in all audit logs.
    pub records: u64,
}

/// Runs all rounds, with guests for WASI 0.2 and 0.3 in turn, and calls `progress` after each.
///
/// # Errors
///
/// Stops at the first violation: an accepted request without an answer, a wrong answer, an exit
/// status other than 0, a receipt without its entry in the audit log.
pub fn run(rounds: Rounds, mut progress: impl FnMut(u32)) -> Result<Summary, Violation> {
    let guests = Guest::appenders();
    let mut random = Random::new(rounds.seed);
    let mut summary = Summary::default();
    for (round, guest) in (1..=rounds.count).zip(guests.iter().cycle()) {
        let folder = tempfile::tempdir().expect("a folder");
        let observed = round::run(guest, folder.path(), round, &mut random);
        if let Err(reason) = observed.and_then(|observed| summary.add(&observed)) {
            return Err(Violation::keep(round, reason, folder));
        }
        progress(round);
    }
    Ok(summary)
}

impl Summary {
    /// Adds a round, unless one of its requests was lost.
    fn add(&mut self, observed: &round::Observed) -> Result<(), String> {
        let mut lost = Vec::new();
        self.rounds += 1;
        self.records += observed.records;
        self.refused += observed.refused;
        for request in &observed.requests {
            let is_after = request.ended > observed.signal;
            match request.judge(observed.signal, observed.is_recorded(request)) {
                Verdict::Answered => {
                    self.answered += 1;
                    self.answered_after += u64::from(is_after);
                    self.completed_after += u64::from(is_after && request.is_split);
                }
                Verdict::Raced => self.raced += 1,
                Verdict::RacedUnused => self.raced_unused += 1,
                Verdict::AlreadyClosed => self.already_closed += 1,
                Verdict::NotAccepted => self.not_accepted += 1,
                Verdict::Lost(reason) => lost.push(format!("`{}` {reason}", request.value)),
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
            already_closed,
            not_accepted,
            refused,
            records,
        } = self;
        write!(
            f,
            "{rounds} servers ended, all with 0; {answered} requests answered, {answered_after} of \
             them after the signal, {completed_after} of which had been sent in part; no accepted \
             request lost; {records} records in the audit logs.\n\
             Not accepted: {raced} on used connections that closed at the same moment, \
             {raced_unused} on unused ones, {already_closed} on connections seen as closed, \
             {not_accepted} on connections made after the signal; {refused} connections refused"
        )
    }
}
