//! Changes of a database by other programs, and the size of its write-ahead log.

use std::fs;

use audit_log::event::Event;
use audit_log::read::{Reader, Start};
use audit_log::record::Subject;
use audit_log::{AuditLog, Location, Settings};

use super::{DEADLINE, gives_receipt, path, wait_until, wal};
use crate::support::{append, block_on, boot, folder, open, sqlite};

/// Executes a statement of another program.
fn execute(location: &Location, sql: &str) {
    let database = rusqlite::Connection::open(path(location)).expect("a database");
    database.busy_timeout(DEADLINE).expect("a time");
    database.execute_batch(sql).expect("a statement");
}

/// A trigger could remove each record that got a receipt.
#[test]
fn changed_schema_gives_no_receipts_until_it_is_restored() {
    const CHANGES: [(&str, &str); 3] = [
        (
            "CREATE TRIGGER t AFTER INSERT ON records BEGIN
                 DELETE FROM records WHERE sequence = new.sequence; END",
            "DROP TRIGGER t",
        ),
        (
            "CREATE TRIGGER t AFTER INSERT ON records BEGIN
                 UPDATE records SET record = '' WHERE sequence = new.sequence; END",
            "DROP TRIGGER t",
        ),
        ("CREATE TABLE more (number)", "DROP TABLE more"),
    ];

    for (change, undo) in CHANGES {
        let folder = folder();
        let location = sqlite(&folder);
        let log = open(&location);
        block_on(append(&log, 1));
        execute(&location, change);
        for _ in 0..3 {
            assert!(!gives_receipt(&log), "{change}");
        }
        assert!(log.metrics().is_failing, "{change}");
        // Another server does not start, either.
        block_on(log.close());
        let error = AuditLog::open(&Settings::new(location.clone())).expect_err(change);
        assert!(error.to_string().contains("schema"), "{error}");
        execute(&location, undo);
        let log = open(&location);
        assert!(gives_receipt(&log), "{change}");
        // `VACUUM` does not change the schema.
        execute(&location, "VACUUM");
        assert!(gives_receipt(&log), "{change}");
    }
}

#[test]
fn open_rejects_a_database_with_hard_links() {
    let folder = folder();
    let location = sqlite(&folder);
    boot(&location, 1);
    fs::hard_link(path(&location), folder.path().join("link.db")).expect("a link");
    let error = AuditLog::open(&Settings::new(location)).expect_err("it has two names");
    assert!(error.to_string().contains("hard links"), "{error}");
}

#[test]
fn write_ahead_log_shrinks_while_a_server_writes() {
    const BYTES: u64 = 5 * 1024 * 1024;

    let folder = folder();
    let location = sqlite(&folder);
    let log = open(&location);
    let size = || fs::metadata(wal(&location)).expect("a file").len();
    // A reader prevents its restart.
    let mut reader = Reader::open(&location, Start::First).expect("a log");
    reader.snapshot().expect("a log");
    let cause = "x".repeat(4000);
    let write = || {
        let event = Event::FunctionsRefused {
            file: "".into(),
            cause: cause.as_str().into(),
        };
        block_on(log.record(Subject::default(), &event)).expect("a receipt");
    };
    while size() < 2 * BYTES {
        write();
    }
    drop(reader);
    wait_until("it is shorter", || {
        write();
        size() < BYTES
    });
    block_on(log.close());
}
