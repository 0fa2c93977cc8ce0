//! Properties of an audit log after its writer was killed.

use std::collections::BTreeSet;
use std::fmt;

use audit_log::read::{Reader, Start};
use audit_log::verify::{self, Finding, Options};
use audit_log::{Location, SigningKey};

use super::round::Observed;
use crate::audit::{self, Record, is_entry};

/// What the clients of one log received, in all rounds.
#[derive(Debug, Default)]
pub(super) struct History {
    receipts: Vec<(String, u64)>,
    unanswered: BTreeSet<String>,
    /// Records of the log after the previous round.
    texts: Vec<String>,
}

impl History {
    /// Reads the log after a round, and compares it with what clients received in that round and
    /// in all previous ones.
    ///
    /// # Errors
    ///
    /// Names the property that does not hold.
    pub(super) fn check(&mut self, location: &Location, observed: Observed) -> Result<(), String> {
        self.receipts.extend(observed.receipts);
        self.unanswered.extend(observed.unanswered);
        // A server that was killed early has no log yet.
        if !observed.listened && self.texts.is_empty() && !has_records(location) {
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

    /// No record of the previous round is missing or changed.
    fn check_past(&self, records: &[Record]) -> Result<(), String> {
        for (index, text) in self.texts.iter().enumerate() {
            let place = index + 1;
            let found = records
                .get(index)
                .ok_or_else(|| format!("record {place} of the previous round is missing"))?;
            if found.text != *text {
                let found = &found.text;
                return Err(format!("record {place} was\n{text}\nand is\n{found}"));
            }
        }
        Ok(())
    }

    /// Every entry with a receipt has the sequence number of the receipt, and every other entry
    /// was sent by a client.
    fn check_receipts(&self, records: &[Record]) -> Result<(), String> {
        let mut sequences = audit::sequences(records)?;
        for (value, sequence) in &self.receipts {
            match sequences.remove(value.as_str()) {
                Some(found) if found == *sequence => {}
                Some(found) => {
                    let why = format!("`{value}` has the receipt {sequence} and is record {found}");
                    return Err(why);
                }
                None => {
                    return Err(format!(
                        "`{value}` has the receipt {sequence} and is missing"
                    ));
                }
            }
        }
        match sequences
            .keys()
            .find(|value| !self.unanswered.contains(**value))
        {
            Some(value) => Err(format!("`{value}` is in the log, and no client sent it")),
            None => Ok(()),
        }
    }

    pub(super) fn records(&self) -> u64 {
        self.texts.len() as u64
    }

    /// Number of entries in the log whose receipt was lost.
    pub(super) fn without_receipt(&self) -> u64 {
        let guests = self.texts.iter().filter(|text| is_entry(text.as_bytes()));
        guests.count() as u64 - self.receipts.len() as u64
    }
}

/// The first record is the first start, and every later start reports a crash.
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

/// A verification with the key of the log has no finding.
fn verify(location: &Location) -> Result<(), String> {
    let key = location.sibling("key").expect("a file");
    let key = SigningKey::open(&key).map_err(|error| error.to_string())?;
    let options = Options {
        keys: vec![key.public_key()],
        checkpoints: Vec::new(),
    };
    let fail = |error: audit_log::read::ReadError| error.to_string();
    let mut reader = Reader::open(location, Start::First).map_err(fail)?;
    let mut report = verify::verify(&mut reader, &options, &mut |_| {}).map_err(fail)?;
    // The next start removes the partial write of `corrupt.rs`, unless that server is killed
    // before.
    report
        .findings
        .retain(|finding| !matches!(finding, Finding::Unfinished { .. }));
    if report.is_good() {
        Ok(())
    } else {
        Err(report.to_string())
    }
}

/// Whether a log exists and can be read.
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
