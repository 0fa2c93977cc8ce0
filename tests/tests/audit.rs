//! The audit log of the server, read from its file. Crashes and full disks are in other files; the
//! log itself is tested in the crate `audit-log`.

mod entries;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::cases::{check_problem, check_result};
use end_to_end::client::{Request, encrypt};
use end_to_end::operators::Operators;
use end_to_end::{TestHost, app, artifacts, wait};
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
        wait::whole_lines(&self.path())
    }

    /// All records, one per line.
    fn records(&self) -> Vec<Value> {
        let text = self.text();
        let read = |line| serde_json::from_str(line).expect("a line of JSON");
        text.lines().map(read).collect()
    }

    /// The records of guests.
    fn entries(&self) -> Vec<Value> {
        let mut records = self.records();
        records.retain(|record| record.get("guest").is_some());
        records
    }

    /// The records of the host.
    fn events(&self) -> Vec<Value> {
        let mut records = self.records();
        records.retain(|record| record.get("event").is_some());
        records
    }

    fn flag(&self) -> String {
        format!("jsonl:{}", self.path().display())
    }

    /// A server with this log.
    fn serve(&self) -> TestHost {
        app().flag("--audit", self.flag()).start()
    }
}

fn encrypt_hello(host: &TestHost) {
    check_result(&host.send(&encrypt("hello")), "khoor");
}

fn sequence(entry: &Value) -> u64 {
    entry["host"]["sequence"].as_u64().expect("a number")
}

pub(crate) fn sha256(path: &Path) -> String {
    let bytes = fs::read(path).expect("a file");
    format!("{:x}", Sha256::digest(bytes))
}

#[test]
fn an_audit_entry_is_durable_before_the_response() {
    let log = Log::new();
    let host = log.serve();
    for calls in 1..=3 {
        encrypt_hello(&host);
        assert_eq!(log.entries().len(), calls);
    }
}

#[test]
fn an_audit_entry_separates_facts_of_the_host_from_the_text_of_the_guest() {
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
    let expected = [
        "boot",
        "component",
        "monotonic_ns",
        "node",
        "previous",
        "request",
        "sequence",
        "time",
        "version",
    ];
    assert!(facts.into_iter().eq(expected), "{entry}");
    let request = &entry["host"]["request"];
    assert_eq!(request["method"], "POST");
    assert_eq!(request["path"], "/encrypt");
    let peer = request["peer"].as_str().expect("an address");
    assert!(peer.starts_with("127.0.0.1:"), "{peer}");
    assert_eq!(request.as_object().expect("an object").len(), 4);
}

#[test]
fn a_trace_and_the_user_that_a_proxy_names_are_recorded() {
    let log = Log::new();
    let host = app()
        .flag("--audit", log.flag())
        .flag("--principal-header", "x-user")
        .start();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = encrypt("hello")
        .header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"))
        .header("x-user", "alice");
    check_result(&host.send(&request), "khoor");
    let request = &log.entries()[0]["host"]["request"];
    assert_eq!(request["trace_id"], trace);
    assert_eq!(request["principal"], "alice");
}

#[test]
fn sequences_count_from_1() {
    let log = Log::new();
    let host = log.serve();
    for _ in 0..3 {
        encrypt_hello(&host);
    }
    let sequences: Vec<_> = log.entries().iter().map(sequence).collect();
    // The start of the server and the component come first.
    assert!(sequences[0] > 2, "{sequences:?}");
    check_sequences(&log);
}

/// Checks that the sequences of all records count from 1.
fn check_sequences(log: &Log) {
    let records = log.records();
    let sequences: Vec<_> = records.iter().map(sequence).collect();
    assert!(
        sequences.iter().copied().eq(1..=sequences.len() as u64),
        "{sequences:?}"
    );
}

#[test]
fn each_record_names_the_hash_of_the_one_before() {
    let log = Log::new();
    let mut host = log.serve();
    encrypt_hello(&host);
    host.terminate();
    let mut previous = "0".repeat(64);
    for line in log.text().lines() {
        let record: Value = serde_json::from_str(line).expect("a line of JSON");
        assert_eq!(record["host"]["previous"], previous);
        previous = format!("{:x}", Sha256::digest(line));
    }
}

#[test]
fn audit_records_start_and_stop_of_the_server() {
    let log = Log::new();
    for _ in 0..2 {
        let mut host = log.serve();
        host.terminate();
    }
    let kinds: Vec<_> = log
        .events()
        .iter()
        .map(|record| record["event"]["type"].as_str().expect("a type").to_owned())
        .collect();
    let life = ["server-start", "component-load", "server-stop"];
    assert_eq!(kinds, [life, life].concat());
    assert_eq!(log.events()[0]["event"]["previous_stop"], "none");
    assert_eq!(log.events()[3]["event"]["previous_stop"], "clean");
    // The last record is a checkpoint.
    let records = log.records();
    assert!(
        records
            .last()
            .expect("a record")
            .get("checkpoint")
            .is_some()
    );
}

#[test]
fn a_trap_leaves_an_audit_record() {
    let log = Log::new();
    let host = TestHost::serve_guest("forger")
        .flag("--audit", log.flag())
        .start();
    assert_eq!(host.send(&Request::new("GET", "/trap")).status, 500);
    let events = log.events();
    let record = events.last().expect("a record");
    assert_eq!(record["event"]["type"], "guest-failure");
    assert_eq!(record["event"]["kind"], "trap");
    assert_eq!(record["host"]["request"]["path"], "/trap");
    assert_eq!(record["host"]["component"]["name"], "guest");
    // The name of its function differs.
    check_sequences(&log);
}

#[test]
fn audit_max_entries_limits_the_entries_of_one_request() {
    let log = Log::new();
    let host = app()
        .flag("--audit", log.flag())
        .flag("--audit-max-entries", "0")
        .start();
    let response = host.send(&encrypt("hello"));
    check_problem(&response, 503, &["audit log"]);
    let events = log.events();
    let record = events.last().expect("a record");
    assert_eq!(record["event"]["type"], "entry-refused");
    assert_eq!(record["event"]["reason"], "quota-exceeded");
    assert!(log.entries().is_empty());
}

#[test]
fn audit_none_is_reported_at_start() {
    let host = app().flag("--audit", "none").start();
    encrypt_hello(&host);
    let _ = host.log().wait_for_entry(&["WARN", "NO AUDIT LOG"]);
}

#[test]
fn audit_on_stdout_has_only_records() {
    let mut host = app().flag("--audit", "jsonl:-").start_announced_on_stderr();
    encrypt_hello(&host);
    host.terminate();
    let text = host.output().wait_for_end();
    let read = |line| serde_json::from_str::<Value>(line).expect("a record");
    let records: Vec<_> = text.lines().map(read).collect();
    let guests = records
        .iter()
        .filter(|record| record.get("guest").is_some());
    let actions: Vec<_> = guests.map(|record| &record["guest"]["action"]).collect();
    assert_eq!(actions, ["encrypt"], "{text}");
}

#[test]
fn metrics_count_records() {
    let host = app().flag("--ops-addr", "127.0.0.1:0").start();
    encrypt_hello(&host);
    let operators = Operators::of(&host);
    operators.wait_for(&[("audit_dropped_total", 0.0)]);
    // A checkpoint may come between the two.
    wait::until("all records are counted", || {
        let counted = operators.metrics().get("audit_records_total");
        let records = host.audit_records().len();
        match counted {
            Some(counted) if counted.to_string() == records.to_string() => Ok(()),
            _ => Err(format!("{counted:?} of {records}")),
        }
    });
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
    let component = &log.entries()[0]["host"]["component"];
    assert_eq!(component["sha256"], digest);
    assert_eq!(component["name"], "app");
    // The same digest as in the log at start.
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
    let id = |entry: &Value| {
        entry["host"]["request"]["id"]
            .as_str()
            .map(ToOwned::to_owned)
    };
    let ids: BTreeSet<_> = entries
        .iter()
        .map(|entry| id(entry).expect("an id"))
        .collect();
    assert_eq!(ids.len(), 3, "{entries:?}");
}

#[cfg(unix)]
#[test]
fn a_new_audit_log_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let log = Log::new();
    let _host = log.serve();
    for file in [log.path(), log.path().with_added_extension("key")] {
        let mode = fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}
