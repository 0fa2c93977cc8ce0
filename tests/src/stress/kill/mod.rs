//! Sends SIGKILL at any moment, and verifies each time that the audit log has every entry that a
//! client has a receipt for.
//!
//! - this file: [`run`], from round to round and from log to log.
//! - `round.rs`: one server, from its start to its kill.
//! - `corrupt.rs`: an incomplete write, as a power failure leaves it.
//! - `history.rs`: what must be true of the log afterwards.
//! - [`deploy`]: the same for deploys of functions.
//!
//! The kernel keeps what a killed process has written, so this proves nothing about the disk. It
//! proves that a receipt is given only for written records, that no incomplete record is read as
//! one, and that a log continues after a crash at any moment, also while it is being opened.

mod corrupt;
pub mod deploy;
mod history;
mod round;

use std::fmt;
use std::fs;

use super::harness::{Rounds, Violation};
use crate::audit::Kind;
use crate::guests::Guest;
use crate::random::Random;
use history::History;
use round::Round;

/// Counts over all rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Kills.
    pub rounds: u32,
    /// Kills before the server listened.
    pub early_kills: u32,
    /// Audit logs.
    pub logs: u32,
    /// Receipts that clients received.
    pub receipts: u64,
    /// Entries in a log whose receipt did not reach the client before the kill.
    pub without_receipt: u64,
    /// Records in all logs.
    pub records: u64,
}

/// Runs all rounds, on logs of these kinds and with guests for WASI 0.2 and 0.3 in turn, and calls `progress` after each.
///
/// # Errors
///
/// Stops at the first violation, and keeps the log.
pub fn run(
    rounds: Rounds,
    kinds: &[Kind],
    mut progress: impl FnMut(u32),
) -> Result<Summary, Violation> {
    /// Maximum number of rounds on one log.
    const MAX_ROUNDS_PER_LOG: usize = 15;

    let guests = Guest::appenders();
    let mut random = Random::new(rounds.seed);
    let mut summary = Summary::default();
    while summary.rounds < rounds.count {
        let kind = kinds[summary.logs as usize % kinds.len()];
        let folder = tempfile::tempdir().expect("a folder");
        let location = kind.location(folder.path());
        let mut history = History::default();
        summary.logs += 1;
        for _ in 0..=random.below(MAX_ROUNDS_PER_LOG) {
            if summary.rounds == rounds.count {
                break;
            }
            summary.rounds += 1;
            let round = Round::random(summary.rounds, &mut random);
            let guest = &guests[summary.rounds as usize % guests.len()];
            let observed = round::run(guest, &location, round);
            let checked = observed.and_then(|observed| {
                summary.early_kills += u32::from(!observed.listened);
                summary.receipts += observed.receipts.len() as u64;
                history.check(&location, observed)
            });
            if let Err(reason) = checked {
                let receipts = folder.path().join("receipts.txt");
                fs::write(receipts, history.to_string()).expect("a disk");
                return Err(Violation::keep(summary.rounds, reason, folder));
            }
            if random.below(3) == 0 {
                corrupt::append_partial_write(&location, &mut random);
            }
            progress(summary.rounds);
        }
        summary.records += history.records();
        summary.without_receipt += history.without_receipt();
    }
    Ok(summary)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rounds,
            early_kills,
            logs,
            receipts,
            without_receipt,
            records,
        } = self;
        write!(
            f,
            "{rounds} kills, {early_kills} of them before the server listened; {logs} logs with \
             {records} records; {receipts} receipts, all in the log; {without_receipt} entries \
             whose receipt was lost"
        )
    }
}
