//! Appending to a log, and reading it back.

use audit_log::event::{Event, PreviousStop};
use audit_log::read::{Reader, Start};
use audit_log::record::{Attribute, Component, Entry, Outcome, Request, Subject};
use audit_log::{AuditLog, Chain, Head, Location, OpenError, Settings};

use crate::support::{block_on, locations, record, wait_until_released};

fn entry(action: &str) -> Entry<'_> {
    Entry {
        action: action.into(),
        outcome: Outcome::Success,
        resource: None,
        attributes: vec![],
    }
}

async fn append(log: &AuditLog, action: &str) -> u64 {
    let appended = log.append(Subject::default(), &entry(action)).await;
    appended.expect("a receipt")
}

/// All records, after a check of their chain.
fn texts(location: &Location) -> Vec<String> {
    let mut reader = Reader::open(location, Start::First).expect("a log");
    let mut chain = Chain::after(Head::EMPTY);
    let mut texts = Vec::new();
    while let Some(line) = reader.next().expect("a line") {
        chain.check(&line).expect("a chain");
        texts.push(str::from_utf8(line.bytes).expect("text").to_owned());
    }
    texts
}

/// The kind of a record in a word.
fn kind(text: &str) -> String {
    let record = record(text);
    match (record.guest, record.event) {
        (Some(entry), _) => entry.action.into_owned(),
        (_, Some(Event::ServerStart { previous_stop, .. })) => format!("start {previous_stop:?}"),
        (_, Some(Event::ServerStop)) => "stop".to_owned(),
        (_, Some(event)) => format!("{event:?}"),
        (None, None) => "checkpoint".to_owned(),
    }
}

fn kinds(location: &Location) -> Vec<String> {
    texts(location).iter().map(|text| kind(text)).collect()
}

#[test]
fn receipt_is_the_sequence_of_the_entry() {
    let folder = tempfile::tempdir().expect("a folder");
    for location in locations(&folder) {
        block_on(async {
            let log = AuditLog::open(&Settings::new(location.clone())).expect("a log");
            for expected in 2..5 {
                let sequence = append(&log, &format!("act {expected}")).await;
                let texts = texts(&location);
                let last = texts.last().expect("a record");
                assert_eq!(record(last).host.sequence, sequence);
                assert_eq!(kind(last), format!("act {expected}"));
            }
        });
    }
}

#[test]
fn log_records_starts_and_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    for location in locations(&folder) {
        for _ in 0..2 {
            block_on(async {
                let log = AuditLog::open(&Settings::new(location.clone())).expect("a log");
                append(&log, "act").await;
                log.close().await;
                let closed = log.append(Subject::default(), &entry("late")).await;
                assert!(closed.is_err());
            });
        }
        let expected = [
            "start None",
            "checkpoint",
            "act",
            "stop",
            "checkpoint",
            "start Clean",
            "checkpoint",
            "act",
            "stop",
            "checkpoint",
        ];
        assert_eq!(kinds(&location), expected, "{location}");
    }
}

#[test]
fn concurrent_entries_have_sequences_without_gaps() {
    let folder = tempfile::tempdir().expect("a folder");
    for location in locations(&folder) {
        block_on(async {
            let log = AuditLog::open(&Settings::new(location.clone())).expect("a log");
            let tasks: Vec<_> = (0..500)
                .map(|_| {
                    let log = log.clone();
                    tokio::spawn(async move { append(&log, "act").await })
                })
                .collect();
            let mut sequences = Vec::new();
            for task in tasks {
                sequences.push(task.await.expect("a sequence"));
            }
            sequences.sort_unstable();
            log.close().await;
            // Checkpoints are in between if this takes longer than a second.
            let kinds = kinds(&location);
            let entries = (1..).zip(&kinds).filter(|(_, kind)| *kind == "act");
            assert!(entries.map(|(sequence, _)| sequence).eq(sequences));
            assert_eq!(kinds.iter().filter(|kind| *kind == "act").count(), 500);
            assert_eq!(kinds[..2], ["start None", "checkpoint"]);
            assert_eq!(kinds[kinds.len() - 2..], ["stop", "checkpoint"]);
        });
    }
}

#[test]
fn record_contains_the_facts_of_host_and_guest() {
    let folder = tempfile::tempdir().expect("a folder");
    for location in locations(&folder) {
        let component = Component {
            name: "app".into(),
            sha256: "00".repeat(32).into(),
        };
        let request = Request {
            id: "7-1".into(),
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            peer: Some("127.0.0.1:9".into()),
            method: "POST".into(),
            path: "/act".into(),
            path_bytes: None,
            principal: Some("alice".into()),
        };
        let entry = Entry {
            action: "act".into(),
            outcome: Outcome::Denied,
            resource: Some("thing".into()),
            attributes: vec![Attribute {
                name: "n".into(),
                value: "\n\"v\u{202e}".into(),
            }],
        };
        block_on(async {
            let log = AuditLog::open(&Settings::new(location.clone())).expect("a log");
            let subject = Subject {
                component: Some(&component),
                request: Some(&request),
            };
            log.append(subject, &entry).await.expect("a receipt");
        });
        let texts = texts(&location);
        let read: serde_json::Value = serde_json::from_str(&texts[2]).expect("JSON");
        let host = &read["host"];
        assert_eq!(host["component"]["name"], "app");
        assert_eq!(
            host["request"],
            serde_json::json!({
                "id": "7-1",
                "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                "peer": "127.0.0.1:9",
                "method": "POST",
                "path": "/act",
                "principal": "alice",
            })
        );
        assert_eq!(
            read["guest"],
            serde_json::json!({
                "action": "act",
                "outcome": "denied",
                "resource": "thing",
                "attributes": [{"name": "n", "value": "\n\"v\u{202e}"}],
            })
        );
        let before: serde_json::Value = serde_json::from_str(&texts[0]).expect("JSON");
        assert_eq!(before["host"]["node"], host["node"]);
        assert_eq!(before["host"]["boot"], host["boot"]);
        assert!(before["host"]["monotonic_ns"].as_u64() < host["monotonic_ns"].as_u64());
        let time = host["time"].as_str().expect("a time");
        assert_eq!(time.len(), "2026-01-01T00:00:00.000000000Z".len(), "{time}");
    }
}

#[test]
fn log_of_schema_version_1_is_continued() {
    let folder = tempfile::tempdir().expect("a folder");
    let [location, _] = locations(&folder);
    let path = location.path().expect("a file");
    let connection = rusqlite::Connection::open(path).expect("a database");
    let tables = include_str!("../src/schema/schema_1.sql");
    let header = "PRAGMA application_id = 0x61756469; PRAGMA user_version = 1;";
    connection
        .execute_batch(&format!("{tables} {header}"))
        .expect("tables");
    block_on(async {
        let log = AuditLog::open(&Settings::new(location.clone())).expect("a log");
        append(&log, "entry").await;
        log.close().await;
    });
    assert_eq!(kinds(&location)[2], "entry");
    let outcome: String = connection
        .query_row(
            "SELECT outcome FROM records WHERE action = 'entry'",
            (),
            |row| row.get(0),
        )
        .expect("a column");
    assert_eq!(outcome, "success");
    let checked =
        Reader::open(&location, Start::First).and_then(|mut reader| reader.check_container());
    assert_eq!(checked.expect("it can be read"), None);
}

#[test]
fn crash_is_recorded_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let location = Location::JsonLines(folder.path().join("audit.jsonl"));
    block_on(async {
        let log = AuditLog::open(&Settings::new(location.clone())).expect("a log");
        append(&log, "act").await;
    });
    let path = location.path().expect("a path");
    let whole = std::fs::read(path).expect("a log");
    std::fs::write(path, [&whole[..], b"{\"host\":{\"ver"].concat()).expect("a disk");
    wait_until_released(&location);

    let log = AuditLog::open(&Settings::new(location.clone())).expect("a log");
    let texts = texts(&location);
    // The last record is the checkpoint of this start.
    let start = record(&texts[texts.len() - 2]).event;
    let Some(Event::ServerStart {
        previous_stop,
        torn_bytes,
        ..
    }) = start
    else {
        panic!("expected a start, found {start:?}");
    };
    assert_eq!(previous_stop, PreviousStop::Crash);
    assert_eq!(torn_bytes, Some(13));
    drop(log);
}

#[test]
fn second_writer_gets_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    for location in locations(&folder) {
        let settings = Settings::new(location);
        let _first = AuditLog::open(&settings).expect("a log");
        let error = AuditLog::open(&settings).expect_err("it is in use");
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    }
}

#[test]
fn open_rejects_other_files_and_leaves_them_unchanged() {
    let folder = tempfile::tempdir().expect("a folder");
    for location in locations(&folder) {
        let path = location.path().expect("a path");
        for text in ["dear diary", "dear diary\n", "{}\n", "\n", "{\"host\":1}"] {
            std::fs::write(path, text).expect("a disk");
            let error = AuditLog::open(&Settings::new(location.clone())).expect_err("no log");
            assert!(matches!(error, OpenError::NotALog { .. }), "{error}");
            assert_eq!(std::fs::read_to_string(path).expect("a file"), text);
        }
    }
}

#[test]
fn open_rejects_a_changed_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let location = Location::JsonLines(folder.path().join("audit.jsonl"));
    block_on(async {
        let log = AuditLog::open(&Settings::new(location.clone())).expect("a log");
        append(&log, "act").await;
        log.close().await;
    });
    let path = location.path().expect("a path");
    let text = std::fs::read_to_string(path).expect("a log");
    std::fs::write(path, text.replace("\"act\"", "\"axt\"")).expect("a disk");
    let error = AuditLog::open(&Settings::new(location)).expect_err("it is damaged");
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("audit verify"), "{error}");
}

#[test]
fn location_none_gives_receipts() {
    block_on(async {
        let log = AuditLog::open(&Settings::new(Location::None)).expect("a log");
        assert_eq!(append(&log, "act").await, 1);
        assert_eq!(append(&log, "act").await, 2);
        log.close().await;
    });
}

#[cfg(unix)]
#[test]
fn all_files_have_mode_0600() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder");
    for location in locations(&folder) {
        let _log = AuditLog::open(&Settings::new(location)).expect("a log");
    }
    for file in std::fs::read_dir(folder.path()).expect("a folder") {
        let file = file.expect("a file");
        let mode = file.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.path().display());
    }
}
