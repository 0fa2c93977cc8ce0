//! A log as those see it who append, and those who read it later.

use std::path::Path;

use audit_log::event::{Event, PreviousStop};
use audit_log::read::{Reader, Start};
use audit_log::record::{Attribute, Component, Entry, Outcome, Record, Request, Subject};
use audit_log::{AuditLog, Chain, Head, Location, OpenError, Settings};
use tempfile::TempDir;
use tokio::runtime::Builder;

/// Both kinds of log that are kept in a file, in a folder.
fn locations(folder: &TempDir) -> [Location; 2] {
    let path = |name| folder.path().join(name);
    [
        Location::Sqlite(path("audit.db")),
        Location::JsonLines(path("audit.jsonl")),
    ]
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

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

/// All records, whose chain is checked.
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

fn record(text: &str) -> Record<'_> {
    serde_json::from_str(text).expect("a record")
}

/// What a record is, in a word.
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
fn a_receipt_is_the_place_of_the_entry() {
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
fn a_log_tells_starts_and_stops() {
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
fn concurrent_entries_have_places_without_gaps() {
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
            // Between them there are checkpoints, if this takes longer than a second.
            let kinds = kinds(&location);
            let places = (1..).zip(&kinds).filter(|(_, kind)| *kind == "act");
            assert!(places.map(|(place, _)| place).eq(sequences));
            assert_eq!(kinds.iter().filter(|kind| *kind == "act").count(), 500);
            assert_eq!(kinds[..2], ["start None", "checkpoint"]);
            assert_eq!(kinds[kinds.len() - 2..], ["stop", "checkpoint"]);
        });
    }
}

#[test]
fn a_record_says_what_the_host_and_the_guest_say() {
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
        let said = Entry {
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
            log.append(subject, &said).await.expect("a receipt");
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
fn a_log_of_the_first_schema_goes_on_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let [location, _] = locations(&folder);
    let path = location.path().expect("a file");
    let connection = rusqlite::Connection::open(path).expect("a database");
    let tables = include_str!("../src/store/schema_1.sql");
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
fn a_crash_shows_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let location = Location::JsonLines(folder.path().join("audit.jsonl"));
    block_on(async {
        let log = AuditLog::open(&Settings::new(location.clone())).expect("a log");
        append(&log, "act").await;
    });
    let path = location.path().expect("a path");
    let whole = std::fs::read(path).expect("a log");
    std::fs::write(path, [&whole[..], b"{\"host\":{\"ver"].concat()).expect("a disk");
    wait_until_released(path);

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

/// Waits until the writer of a log that was dropped has ended.
fn wait_until_released(path: &Path) {
    let file = std::fs::File::open(path).expect("a log");
    file.lock().expect("a lock");
}

#[test]
fn two_writers_cannot_share_a_log() {
    let folder = tempfile::tempdir().expect("a folder");
    for location in locations(&folder) {
        let settings = Settings::new(location);
        let _first = AuditLog::open(&settings).expect("a log");
        let error = AuditLog::open(&settings).expect_err("it is in use");
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    }
}

#[test]
fn other_files_are_left_alone() {
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
fn a_log_that_was_changed_is_not_continued() {
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
fn a_log_that_is_kept_nowhere_gives_receipts() {
    block_on(async {
        let log = AuditLog::open(&Settings::new(Location::None)).expect("a log");
        assert_eq!(append(&log, "act").await, 1);
        assert_eq!(append(&log, "act").await, 2);
        log.close().await;
    });
}

#[cfg(unix)]
#[test]
fn all_files_are_for_the_user_alone() {
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
