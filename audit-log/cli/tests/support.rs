//! Logs to run commands on, and the commands as a user writes them.

use audit_log::checkpoint::Checkpoint;
use audit_log::read::{Reader, Start};
use audit_log::record::{Attribute, Component, Entry, Outcome, Record, Request, Subject};
use audit_log::{AuditLog, Hash, Location, Settings, SigningKey};
use audit_log_cli::{AuditCommand, run_on};
use clap::{FromArgMatches, Subcommand};
use tempfile::TempDir;

/// A log of each backend with a file, in `folder`.
pub(crate) fn locations(folder: &TempDir) -> [Location; 2] {
    [sqlite(folder), json_lines(folder)]
}

pub(crate) fn sqlite(folder: &TempDir) -> Location {
    Location::Sqlite(folder.path().join("audit.db"))
}

pub(crate) fn json_lines(folder: &TempDir) -> Location {
    Location::JsonLines(folder.path().join("audit.jsonl"))
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

pub(crate) fn open(location: &Location) -> AuditLog {
    let mut settings = Settings::new(location.clone());
    settings.node = Some("test".to_owned());
    AuditLog::open(&settings).expect("a log")
}

/// Runs a boot: a start, `entries` entries, a stop, and two checkpoints.
pub(crate) fn boot(location: &Location, entries: u64) {
    block_on(async {
        let log = open(location);
        for number in 1..=entries {
            append(&log, number).await;
        }
        log.close().await;
    });
}

/// Appends the entry `number`: the action is `act`, every third outcome `denied`.
pub(crate) async fn append(log: &AuditLog, number: u64) -> u64 {
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
pub(crate) fn lines(location: &Location) -> Vec<String> {
    let mut reader = Reader::open(location, Start::First).expect("a log");
    let mut lines = Vec::new();
    while let Some(line) = reader.next().expect("a line") {
        lines.push(str::from_utf8(line.bytes).expect("text").to_owned());
    }
    lines
}

pub(crate) fn record(line: &str) -> Record<'_> {
    serde_json::from_str(line).expect("a record")
}

pub(crate) fn key(location: &Location) -> SigningKey {
    SigningKey::open(&location.sibling("key").expect("a path")).expect("a key")
}

/// An external checkpoint of the last record.
pub(crate) fn attest(location: &Location) -> Checkpoint<'static> {
    let lines = lines(location);
    let last = lines.last().expect("a record");
    let host = record(last).host;
    let time = "2026-08-01T00:00:00.000000000Z";
    Checkpoint::sign(&key(location), "test", host.sequence, Hash::of(last), time)
}

/// Runs a command line. Returns its output, and false for a finding.
pub(crate) fn command(arguments: &[&str]) -> (String, bool) {
    try_command(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error:#}"))
}

pub(crate) fn try_command(arguments: &[&str]) -> anyhow::Result<(String, bool)> {
    let mut output = Vec::new();
    let good = run_on(&parse(arguments), &mut output, &mut || false)?;
    Ok((String::from_utf8(output)?, good))
}

pub(crate) fn parse(arguments: &[&str]) -> AuditCommand {
    let program = clap::Command::new("audit");
    let program = AuditCommand::augment_subcommands(program);
    let matches = program.try_get_matches_from([&["audit"], arguments].concat());
    let matches = matches.unwrap_or_else(|error| panic!("{error}"));
    AuditCommand::from_arg_matches(&matches).expect("a command")
}

pub(crate) fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}
