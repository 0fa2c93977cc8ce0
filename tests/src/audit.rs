//! What is in an audit log, once the server has written it.
//!
//! The log is read by the crate that wrote it, and its chain is checked on the way.

use std::collections::BTreeMap;
use std::path::Path;

use audit_log::read::{Reader, Start};
use audit_log::{Chain, Head, Location};
use serde_json::Value;

/// One record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its place in the log.
    pub sequence: u64,
    /// The line, as it is stored.
    pub text: String,
    /// The same, read as JSON.
    pub json: Value,
}

/// The kinds of log that are kept in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A database.
    Sqlite,
    /// A file with one record a line.
    JsonLines,
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

/// All records of a log that was not pruned, from the first one to the last.
///
/// # Errors
///
/// Says what is wrong with the log: it cannot be read, a place is left out, or the
/// chain is broken.
pub fn read(location: &Location) -> Result<Vec<Record>, String> {
    let fail = |error: audit_log::read::ReadError| describe(&error);
    let mut reader = Reader::open(location, Start::First).map_err(fail)?;
    let mut chain = Chain::after(Head::EMPTY);
    let mut records = Vec::new();
    while let Some(line) = reader.next().map_err(fail)? {
        let place = records.len() + 1;
        let checked = chain.check(&line);
        checked.map_err(|defect| format!("record {place} of `{location}`: {defect}"))?;
        let text = String::from_utf8_lossy(line.bytes).into_owned();
        let json = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        records.push(Record {
            sequence: place as u64,
            text,
            json,
        });
    }
    match reader.check_container().map_err(fail)? {
        Some(damage) => Err(damage),
        None => Ok(records),
    }
}

/// The same, for a test that ends if anything is wrong.
#[must_use]
pub fn records(location: &Location) -> Vec<Record> {
    read(location).unwrap_or_else(|why| panic!("{why}"))
}

impl Record {
    /// The value of the one attribute that `guests/appender.wat` gives, if a guest
    /// wrote this.
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

/// Where each value is that a guest wrote.
///
/// # Errors
///
/// Names a value that is there twice.
pub fn places(records: &[Record]) -> Result<BTreeMap<&str, u64>, String> {
    let mut places = BTreeMap::new();
    for record in records {
        let Some(value) = record.value() else {
            continue;
        };
        if let Some(before) = places.insert(value, record.sequence) {
            let sequence = record.sequence;
            return Err(format!(
                "`{value}` is record {before} and record {sequence}"
            ));
        }
    }
    Ok(places)
}

/// An error and its causes.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
