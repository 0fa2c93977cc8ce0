//! Records of an audit log, read by the crate that wrote them; the chain is verified on the way.

use std::collections::BTreeMap;
use std::path::Path;

use audit_log::read::{Reader, Start};
use audit_log::{Chain, Head, Location};
use sanitize::error_chain;
use serde_json::Value;

use crate::client::Response;

/// One record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its position in the log, counted from 1.
    pub sequence: u64,
    /// The line as stored.
    pub text: String,
    /// The line as JSON.
    pub json: Value,
}

/// The kinds of audit log that are files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A database.
    Sqlite,
    /// A file with one record per line.
    JsonLines,
}

/// Whether a record is the entry of a guest. Counting a log parses no JSON.
#[must_use]
pub(crate) fn is_entry(line: &[u8]) -> bool {
    const GUEST: &[u8] = b"},\"guest\":{";

    line.windows(GUEST.len()).any(|part| part == GUEST)
}

impl Kind {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::JsonLines];

    /// A log of this kind in `folder`.
    #[must_use]
    pub fn location(self, folder: &Path) -> Location {
        match self {
            Self::Sqlite => Location::Sqlite(folder.join("audit.db")),
            Self::JsonLines => Location::JsonLines(folder.join("audit.jsonl")),
        }
    }
}

/// All records of a log that was not pruned, in order.
///
/// # Errors
///
/// Fails if the log cannot be read, a record is missing, or the chain is broken.
pub fn read(location: &Location) -> Result<Vec<Record>, String> {
    let fail = |error: audit_log::read::ReadError| error_chain(&error);
    let mut reader = Reader::open(location, Start::First).map_err(fail)?;
    let mut chain = Chain::after(Head::EMPTY);
    let mut records = Vec::new();
    while let Some(line) = reader.next().map_err(fail)? {
        let sequence = records.len() + 1;
        let checked = chain.check(&line);
        checked.map_err(|defect| format!("record {sequence} of `{location}`: {defect}"))?;
        let text = String::from_utf8_lossy(line.bytes).into_owned();
        let json = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        records.push(Record {
            sequence: sequence as u64,
            text,
            json,
        });
    }
    match reader.check_container().map_err(fail)? {
        Some(damage) => Err(damage),
        None => Ok(records),
    }
}

/// Like [`read`], but panics where that fails.
#[must_use]
pub fn records(location: &Location) -> Vec<Record> {
    read(location).unwrap_or_else(|why| panic!("{why}"))
}

impl Record {
    /// The value of the attribute that `guests/appender.wat` sets, if a guest wrote this.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.json["guest"]["attributes"][0]["value"].as_str()
    }

    /// The type of the event, if the host wrote this.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        self.json["event"]["type"].as_str()
    }
}

/// The sequence number in the response of `guests/appender.wat`, if it is 200 with a receipt.
#[must_use]
pub fn receipt(response: &Response) -> Option<u64> {
    let digits = str::from_utf8(&response.body).ok()?;
    digits.parse().ok().filter(|_| response.status == 200)
}

/// The sequence number of each value that a guest wrote.
///
/// # Errors
///
/// Names a duplicate value.
pub fn sequences(records: &[Record]) -> Result<BTreeMap<&str, u64>, String> {
    let mut sequences = BTreeMap::new();
    for record in records {
        let Some(value) = record.value() else {
            continue;
        };
        if let Some(first) = sequences.insert(value, record.sequence) {
            let second = record.sequence;
            return Err(format!("duplicate `{value}`: records {first} and {second}"));
        }
    }
    Ok(sequences)
}
