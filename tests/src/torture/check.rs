//! What has to be true of a log after its writer was killed.

use std::collections::BTreeSet;
use std::fmt;

use audit_log::read::{Reader, Start};
use audit_log::verify::{self, Finding, Options};
use audit_log::{Location, SigningKey};

use super::round::Seen;
use crate::audit::{self, Record};

/// What all clients of one log have seen, in all rounds.
#[derive(Debug, Default)]
pub(super) struct History {
    receipts: Vec<(String, u64)>,
    unanswered: BTreeSet<String>,
    /// The log, as it was after the round before.
    texts: Vec<String>,
}

impl History {
    /// Reads the log after a round, and compares it with what clients saw in that
    /// round and in all before it.
    ///
    /// # Errors
    ///
    /// Says what is not as it must be.
    pub(super) fn check(&mut self, location: &Location, seen: Seen) -> Result<(), String> {
        self.receipts.extend(seen.receipts);
        self.unanswered.extend(seen.unanswered);
        // A server that was killed early has no log yet.
        if !seen.listened && self.texts.is_empty() && !has_records(location) {
            return Ok(());
        }
        let records = audit::read(location)?;
        self.check_past(&records)?;
        self.check_receipts(&records)?;
        check_starts(&records)?;
        verify(location)?;
        self.texts = records.into_iter().map(|record| record.text).collect();
        Ok(())
    }

    /// What was in the log is there still.
    fn check_past(&self, records: &[Record]) -> Result<(), String> {
        for (index, text) in self.texts.iter().enumerate() {
            let place = index + 1;
            let found = records
                .get(index)
                .ok_or_else(|| format!("record {place} was in the log and is gone"))?;
            if found.text != *text {
                let found = &found.text;
                return Err(format!("record {place} was\n{text}\nand is\n{found}"));
            }
        }
        Ok(())
    }

    /// Every entry with a receipt is where the receipt says, and any other one was
    /// at least sent.
    fn check_receipts(&self, records: &[Record]) -> Result<(), String> {
        let mut places = audit::places(records)?;
        for (value, sequence) in &self.receipts {
            match places.remove(value.as_str()) {
                Some(found) if found == *sequence => {}
                Some(found) => {
                    let why = format!("`{value}` has the receipt {sequence} and is record {found}");
                    return Err(why);
                }
                None => return Err(format!("`{value}` has the receipt {sequence} and is gone")),
            }
        }
        match places
            .keys()
            .find(|value| !self.unanswered.contains(**value))
        {
            Some(value) => Err(format!("`{value}` is in the log, and nobody sent it")),
            None => Ok(()),
        }
    }

    pub(super) fn records(&self) -> u64 {
        self.texts.len() as u64
    }

    /// How many entries are in the log though their receipt was lost.
    pub(super) fn without_receipt(&self) -> u64 {
        let guests = self
            .texts
            .iter()
            .filter(|text| text.contains("},\"guest\":{"));
        guests.count() as u64 - self.receipts.len() as u64
    }
}

/// The first record is the first start, and every later start tells of a crash.
fn check_starts(records: &[Record]) -> Result<(), String> {
    for record in records {
        let is_first = record.sequence == 1;
        let is_start = record.event() == Some("server-start");
        if is_first && !is_start {
            return Err(format!("the log begins with {}", record.text));
        }
        let expected = if is_first { "none" } else { "crash" };
        if is_start && record.json["event"]["previous_stop"] != expected {
            let text = &record.text;
            return Err(format!("expected `{expected}` as the stop before {text}"));
        }
    }
    Ok(())
}

/// An auditor who expects the key of the log finds nothing wrong.
fn verify(location: &Location) -> Result<(), String> {
    let key = location.beside("key").expect("a file");
    let key = SigningKey::open(&key).map_err(|error| error.to_string())?;
    let options = Options {
        keys: vec![key.public_key()],
        checkpoints: Vec::new(),
    };
    let fail = |error: audit_log::read::ReadError| error.to_string();
    let mut reader = Reader::open(location, Start::First).map_err(fail)?;
    let mut report = verify::verify(&mut reader, &options, &mut |_| {}).map_err(fail)?;
    // What a power failure leaves in the middle of a write, in `tear.rs`, is taken off by
    // the next start, but the next server may be killed before that.
    report
        .findings
        .retain(|finding| !matches!(finding, Finding::Unfinished { .. }));
    if report.is_good() {
        Ok(())
    } else {
        Err(report.to_string())
    }
}

/// Whether there is a log that could be read.
fn has_records(location: &Location) -> bool {
    audit::read(location).is_ok_and(|records| !records.is_empty())
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (value, sequence) in &self.receipts {
            writeln!(f, "{sequence}\t{value}")?;
        }
        for value in &self.unanswered {
            writeln!(f, "-\t{value}")?;
        }
        Ok(())
    }
}
