//! Audit logs for tests of the crates that read and write them.

// A helper that panics fails its test.
#![allow(clippy::missing_panics_doc)]

use audit_log::checkpoint::Checkpoint;
use audit_log::read::{Reader, Start};
use audit_log::record::{Attribute, Component, Entry, Outcome, Record, Request, Subject};
use audit_log::{AuditLog, Hash, Location, Settings, SigningKey};
use tempfile::TempDir;

/// A log of each backend with a file, in `folder`.
#[must_use]
pub fn locations(folder: &TempDir) -> [Location; 2] {
    [sqlite(folder), json_lines(folder)]
}

/// A database in `folder`.
#[must_use]
pub fn sqlite(folder: &TempDir) -> Location {
    Location::Sqlite(folder.path().join("audit.db"))
}

/// A file of lines in `folder`.
#[must_use]
pub fn json_lines(folder: &TempDir) -> Location {
    Location::JsonLines(folder.path().join("audit.jsonl"))
}

/// An empty temporary folder.
#[must_use]
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Runs a future on a runtime of its own.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

/// Opens a log, whose node is `test`.
#[must_use]
pub fn open(location: &Location) -> AuditLog {
    let mut settings = Settings::new(location.clone());
    settings.node = Some("test".to_owned());
    AuditLog::open(&settings).expect("a log")
}

/// Runs a boot: a start, `entries` entries, a stop, and two checkpoints.
pub fn boot(location: &Location, entries: u64) {
    block_on(async {
        let log = open(location);
        for number in 1..=entries {
            append(&log, number).await;
        }
        log.close().await;
    });
}

/// Appends the entry `number`: the action is `act`, every third outcome `denied`.
pub async fn append(log: &AuditLog, number: u64) -> u64 {
    let component = Component {
        name: "app".into(),
        sha256: "0123456789abcdef".repeat(4).into(),
    };
    let request = Request {
        id: format!("r-{number}").into(),
        trace_id: None,
        peer: Some("127.0.0.1:9".into()),
        method: "POST".into(),
        path: "/act".into(),
        path_bytes: None,
        principal: None,
    };
    let entry = Entry {
        action: "act".into(),
        outcome: if number.is_multiple_of(3) {
            Outcome::Denied
        } else {
            Outcome::Success
        },
        resource: Some("thing".into()),
        attributes: vec![Attribute {
            name: "number".into(),
            value: number.to_string().into(),
        }],
    };
    let subject = Subject {
        component: Some(&component),
        request: Some(&request),
    };
    log.append(subject, &entry).await.expect("a receipt")
}

/// The canonical bytes of all records.
#[must_use]
pub fn lines(location: &Location) -> Vec<String> {
    let mut reader = Reader::open(location, Start::First).expect("a log");
    let mut lines = Vec::new();
    while let Some(line) = reader.next().expect("a line") {
        lines.push(str::from_utf8(line.bytes).expect("text").to_owned());
    }
    lines
}

/// Parses a record.
#[must_use]
pub fn record(line: &str) -> Record<'_> {
    serde_json::from_str(line).expect("a record")
}

/// The key beside a log.
#[must_use]
pub fn key(location: &Location) -> SigningKey {
    SigningKey::open(&location.sibling("key").expect("a path")).expect("a key")
}

/// An external checkpoint of the last record.
#[must_use]
pub fn attest(location: &Location) -> Checkpoint<'static> {
    let lines = lines(location);
    let last = lines.last().expect("a record");
    let host = record(last).host;
    let time = "2026-08-01T00:00:00.000000000Z";
    Checkpoint::sign(&key(location), "test", host.sequence, Hash::of(last), time)
}
