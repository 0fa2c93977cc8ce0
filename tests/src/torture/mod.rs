//! Kills the server again and again at any moment, and looks each time whether the
//! log has everything that a client has a receipt for.
//!
//! - this file: [`run`], which goes from round to round and from log to log.
//! - `round.rs`: one server, from its start until it is killed.
//! - `tear.rs`: what a power failure leaves besides.
//! - `check.rs`: what has to be true of the log after that.
//!
//! A killed process leaves to the system what it has written, so this shows nothing
//! about the disk: it shows that a receipt is given only for what is written, that
//! nothing is taken for a record that is none, and that a log goes on after a crash
//! at any moment, also one while it is opened.

mod check;
mod round;
mod tear;

use std::fmt;
use std::fs;
use std::path::PathBuf;

use crate::audit::Kind;
use crate::guests::Guest;
use crate::random::Random;
use check::History;
use round::Round;

/// What is done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How often the server is killed.
    pub rounds: u32,
    /// What all the choices come from. The moments of kills come from it too, but
    /// what the server does at such a moment does not.
    pub seed: u64,
    /// The kinds of log, which take turns.
    pub kinds: Vec<Kind>,
}

/// What was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// How often the server was killed.
    pub rounds: u32,
    /// How many of these kills came before the server listened.
    pub early_kills: u32,
    /// How many logs there were.
    pub logs: u32,
    /// Receipts that clients got.
    pub receipts: u64,
    /// Entries that are in a log though their client got no receipt: it was killed
    /// between the two.
    pub without_receipt: u64,
    /// Records in all logs together.
    pub records: u64,
}

/// Something that must not be.
#[derive(Debug, thiserror::Error)]
#[error("in round {round}: {why}; the log and all receipts are in `{}`", folder.display())]
pub struct Violation {
    /// The round, counted from 1.
    pub round: u32,
    /// What is wrong.
    pub why: String,
    /// Where everything is kept that shows it.
    pub folder: PathBuf,
}

/// Goes through all rounds, and calls `progress` after each.
///
/// # Errors
///
/// Ends with the first thing that must not be, and keeps the log.
pub fn run(plan: &Plan, mut progress: impl FnMut(&Summary)) -> Result<Summary, Violation> {
    /// The most rounds that one log goes through.
    const MOST_ROUNDS: usize = 15;

    let guest = Guest::assemble("appender");
    let mut random = Random::new(plan.seed);
    let mut summary = Summary::default();
    while summary.rounds < plan.rounds {
        let kind = plan.kinds[summary.logs as usize % plan.kinds.len()];
        let folder = tempfile::tempdir().expect("a folder");
        let location = kind.location(folder.path());
        let mut history = History::default();
        summary.logs += 1;
        for _ in 0..=random.below(MOST_ROUNDS) {
            if summary.rounds == plan.rounds {
                break;
            }
            summary.rounds += 1;
            let round = Round::any(summary.rounds, &mut random);
            let seen = round::run(&guest, &location, round);
            let checked = seen.and_then(|seen| {
                summary.early_kills += u32::from(!seen.listened);
                summary.receipts += seen.receipts.len() as u64;
                history.check(&location, seen)
            });
            if let Err(why) = checked {
                let folder = folder.keep();
                let receipts = history.to_string();
                fs::write(folder.join("receipts.txt"), receipts).expect("a disk");
                let round = summary.rounds;
                return Err(Violation { round, why, folder });
            }
            if random.below(3) == 0 {
                tear::tear(&location, &mut random);
            }
            progress(&summary);
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
