//! The audit log, as the operator finds it in the file.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use end_to_end::cases::check_result;
use end_to_end::client::{decrypt, encrypt, post};
use end_to_end::{TestHost, artifacts};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A folder for an audit file.
struct Log {
    folder: TempDir,
}

impl Log {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).expect("an audit file")
    }

    /// The entries, one for each line.
    fn entries(&self) -> Vec<Value> {
        let text = self.text();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        let read = |line| serde_json::from_str(line).expect("a line of JSON");
        text.lines().map(read).collect()
    }

    /// A server that writes here.
    fn serve(&self) -> TestHost {
        TestHost::serve(artifacts::component("app"))
            .flag("--audit-file", self.path())
            .start()
    }
}

fn encrypt_hello(host: &TestHost) {
    check_result(&host.send(&encrypt("hello")), "khoor");
}

fn sequence(entry: &Value) -> u64 {
    entry["host"]["sequence"].as_u64().expect("a number")
}

fn sha256(path: &Path) -> String {
    let bytes = fs::read(path).expect("a file");
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("memory");
    }
    text
}

#[test]
fn an_entry_is_there_when_the_client_has_its_answer() {
    let log = Log::new();
    let host = log.serve();
    for calls in 1..=3 {
        encrypt_hello(&host);
        assert_eq!(log.entries().len(), calls);
    }
}

#[test]
fn an_entry_keeps_the_facts_of_the_host_apart_from_the_words_of_the_guest() {
    let log = Log::new();
    let host = log.serve();
    check_result(&host.send(&encrypt("Grüße")), "Juüßh");
    let entry = &log.entries()[0];
    let members: Vec<_> = entry.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["guest", "host"]);
    assert_eq!(
        entry["guest"],
        json!({
            "action": "encrypt",
            "outcome": "success",
            "resource": "caesar",
            "attributes": [{"name": "message-bytes", "value": "7"}],
        })
    );
    let facts: BTreeSet<_> = entry["host"]
        .as_object()
        .expect("an object")
        .keys()
        .collect();
    let expected = ["component", "request_id", "sequence", "time"];
    assert!(facts.into_iter().eq(expected), "{entry}");
}

#[test]
fn sequences_count_from_1() {
    let log = Log::new();
    let host = log.serve();
    for _ in 0..3 {
        encrypt_hello(&host);
    }
    let sequences: Vec<_> = log.entries().iter().map(sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
}

#[test]
fn times_lie_between_the_request_and_its_answer() {
    let log = Log::new();
    let host = log.serve();
    let before = Timestamp::now();
    encrypt_hello(&host);
    let after = Timestamp::now();
    let entry = &log.entries()[0];
    let text = entry["host"]["time"].as_str().expect("a text");
    let time: Timestamp = text.parse().expect("a time of RFC 3339");
    assert!(text.ends_with('Z'), "{text} is not in UTC");
    assert!(before <= time && time <= after, "{before} {time} {after}");
}

#[test]
fn the_component_is_named_by_the_digest_of_its_file() {
    let log = Log::new();
    let host = log.serve();
    encrypt_hello(&host);
    let digest = sha256(&artifacts::component("app"));
    assert_eq!(log.entries()[0]["host"]["component"], digest);
    // The same one that the operator saw when the server started.
    let _ = host.log().wait_for_entry(&["loaded", &digest]);
}

#[test]
fn each_request_has_an_id_of_its_own() {
    let log = Log::new();
    let host = log.serve();
    for _ in 0..3 {
        encrypt_hello(&host);
    }
    let entries = log.entries();
    let id = |entry: &Value| entry["host"]["request_id"].as_str().map(ToOwned::to_owned);
    let ids: BTreeSet<_> = entries
        .iter()
        .map(|entry| id(entry).expect("an id"))
        .collect();
    assert_eq!(ids.len(), 3, "{entries:?}");
}

#[test]
fn both_directions_leave_an_entry() {
    let log = Log::new();
    let host = log.serve();
    encrypt_hello(&host);
    check_result(&host.send(&decrypt("khoor")), "hello");
    let entries = log.entries();
    assert_eq!(entries[0]["guest"]["action"], "encrypt");
    assert_eq!(entries[1]["guest"]["action"], "decrypt");
}

#[test]
fn a_call_that_fails_leaves_an_entry() {
    let log = Log::new();
    let host = TestHost::serve(artifacts::component("app"))
        .flag("--audit-file", log.path())
        .env("SHIFT_AMOUNT", "abc")
        .start();
    assert_eq!(host.send(&encrypt("hello")).status, 500);
    assert_eq!(log.entries()[0]["guest"]["outcome"], "failure");
}

#[test]
fn a_request_that_reaches_no_cipher_leaves_no_entry() {
    let log = Log::new();
    let host = log.serve();
    assert_eq!(host.send(&post("/encrypt", "hello")).status, 400);
    assert_eq!(log.text(), "");
}

#[test]
fn messages_enter_neither_the_audit_log_nor_any_other() {
    let log = Log::new();
    let mut host = TestHost::serve(artifacts::component("app"))
        .flag("--audit-file", log.path())
        .process_env("RUST_LOG", "debug")
        .start();
    check_result(
        &host.send(&encrypt("correcthorsebattery")),
        "fruuhfwkruvhedwwhub",
    );
    check_result(
        &host.send(&decrypt("staplestaplestaple")),
        "pqxmibpqxmibpqxmib",
    );
    assert_eq!(host.send(&post("/encrypt", "notjsonatall")).status, 400);
    host.terminate();
    let printed = log.text() + &host.log().wait_for_end();
    for secret in [
        "correcthorsebattery",
        "fruuhfwkruvhedwwhub",
        "staplestaplestaple",
        "pqxmibpqxmibpqxmib",
        "notjsonatall",
    ] {
        assert!(!printed.contains(secret), "`{secret}` is in:\n{printed}");
    }
    assert_eq!(log.entries().len(), 2);
}

#[test]
fn sequences_go_on_after_a_restart() {
    let log = Log::new();
    for _ in 0..2 {
        let mut host = log.serve();
        encrypt_hello(&host);
        encrypt_hello(&host);
        host.terminate();
    }
    let sequences: Vec<_> = log.entries().iter().map(sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4]);
}

#[test]
fn sequences_of_concurrent_requests_have_no_gaps() {
    let log = Log::new();
    let host = log.serve();
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| encrypt_hello(&host));
        }
    });
    let sequences: Vec<_> = log.entries().iter().map(sequence).collect();
    assert!(sequences.iter().copied().eq(1..=64), "{sequences:?}");
}

#[test]
fn entries_go_to_standard_error_where_no_file_is_named() {
    let host = TestHost::serve(artifacts::component("app")).start();
    encrypt_hello(&host);
    let line = host.log().wait_for_entry(&["message-bytes"]);
    let entry: Value = serde_json::from_str(&line).expect("a line of JSON");
    assert_eq!(entry["guest"]["action"], "encrypt");
}

#[cfg(unix)]
#[test]
fn a_new_audit_file_is_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt;

    let log = Log::new();
    let _host = log.serve();
    let mode = fs::metadata(log.path())
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}
