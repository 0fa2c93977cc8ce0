//! A guest that puts hostile strings into its entries: the log has exactly one true record of each.

mod strings;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use end_to_end::TestHost;
use end_to_end::audit::{self, Kind, Record};
use end_to_end::client::{Connection, Response, post};
use end_to_end::random::Random;
use serde_json::{Value, json};

/// Number of strings sent to each kind of log.
const STRINGS: usize = 10_000;

/// Number of connections.
const CONNECTIONS: usize = 8;

/// Seed of the strings.
const SEED: u64 = 20_260_101;

/// Maximum size of the strings of an entry.
const MAX_ENTRY_BYTES: usize = 4096;

/// The fields of an entry that take the string: the paths of `guests/appender.wat`.
const PLACES: [&str; 5] = ["value", "action", "resource", "name", "invalid-length"];

/// Hostile paths.
const PATHS: [&str; 5] = [
    "",
    "/%0a%7b%22host%22:1%7d",
    "/\"}},\"guest\":{",
    "/%e2%80%ae/..",
    "/a\\u0022'--",
];

/// A string that was sent, and the response.
struct Sent {
    /// The path of the request, which is unique.
    path: String,
    place: &'static str,
    bytes: Vec<u8>,
    response: Response,
}

/// The expected record of a string.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    /// The entry of the guest.
    Guest(Value),
    /// A refused entry.
    Refused(&'static str),
    /// A trap of the guest.
    Trap,
}

#[test]
fn every_hostile_string_leaves_exactly_one_record_in_a_database() {
    check_all(Kind::Sqlite);
}

#[test]
fn every_hostile_string_leaves_exactly_one_record_in_a_file() {
    check_all(Kind::JsonLines);
}

#[test]
fn a_guest_that_appends_on_and_on_is_stopped_and_leaves_one_record_of_that() {
    let folder = tempfile::tempdir().expect("a folder");
    let location = Kind::Sqlite.location(folder.path());
    let mut host = TestHost::serve_guest("appender")
        .flag("--audit", location.to_string())
        .flag("--audit-max-entries", "7")
        .start();
    let response = host.send(&post("/many", "50"));
    assert_eq!(response.body, b"error: quota-exceeded", "{response:?}");
    // Each request has its own quota.
    assert_eq!(host.send(&post("/many", "7")).status, 200);
    host.terminate();
    let records = audit::records(&location);
    let of = |value: &str| {
        let is_of = |record: &&Record| record.value() == Some(value);
        records.iter().filter(is_of).count()
    };
    assert_eq!((of("50"), of("7")), (7, 7));
    let refusals: Vec<_> = records
        .iter()
        .filter(|record| record.event() == Some("entry-refused"))
        .map(|record| &record.json["event"]["reason"])
        .collect();
    assert_eq!(refusals, ["quota-exceeded"]);
}

fn check_all(kind: Kind) {
    let folder = tempfile::tempdir().expect("a folder");
    let location = kind.location(folder.path());
    let mut host = TestHost::serve_guest("appender")
        .flag("--audit", location.to_string())
        .start();
    let sent: Vec<Vec<Sent>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let host = &host;
                scope.spawn(move || send_all(host, number))
            })
            .collect();
        let join = |client: thread::ScopedJoinHandle<'_, _>| client.join().expect("a client");
        clients.into_iter().map(join).collect()
    });
    host.terminate();

    let records = audit::records(&location);
    records.iter().for_each(check_line);
    let components: BTreeSet<_> = records
        .iter()
        .filter_map(|record| record.json["host"].get("component"))
        .map(ToString::to_string)
        .collect();
    assert_eq!(components.len(), 1, "{components:?}");
    let mut about = by_path(&records);
    let mut ids = BTreeSet::new();
    for connection in &sent {
        let mut last = 0;
        for sent in connection {
            let records = about.remove(sent.path.as_str()).unwrap_or_default();
            let [record] = records.as_slice() else {
                panic!("{} records of {}", records.len(), sent.path);
            };
            check_record(record, sent);
            assert!(record.sequence > last, "{} comes too early", record.text);
            last = record.sequence;
            assert!(ids.insert(record.json["host"]["request"]["id"].to_string()));
        }
    }
    assert!(
        about.is_empty(),
        "no request has the ids {:?}",
        about.keys()
    );
}

/// Sends the strings of one connection, and reconnects where the server closes it.
fn send_all(host: &TestHost, number: usize) -> Vec<Sent> {
    let mut random = Random::new(SEED + number as u64);
    let mut connection = host.connect();
    let send = |count| {
        let place = *random.pick(&PLACES);
        let path = format!("/{place}/{number}-{count}{}", random.pick(&PATHS));
        let bytes = strings::any(&mut random);
        let target = format!("{path}?query-{count}");
        let response = exchange(host, &mut connection, &target, &bytes);
        Sent {
            path,
            place,
            bytes,
            response,
        }
    };
    (0..STRINGS / CONNECTIONS).map(send).collect()
}

fn exchange(host: &TestHost, connection: &mut Connection, path: &str, bytes: &[u8]) -> Response {
    let response = connection.exchange(&post(path, bytes));
    if response.header("connection") == Some("close") {
        *connection = host.connect();
    }
    response
}

/// The records about each path.
fn by_path(records: &[Record]) -> BTreeMap<&str, Vec<&Record>> {
    let mut about: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in records {
        if let Some(path) = record.json["host"]["request"]["path"].as_str() {
            about.entry(path).or_default().push(record);
        }
    }
    about
}

/// Checks that a line has no character that a terminal interprets or hides.
fn check_line(record: &Record) {
    let deceives = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    let found = record.text.chars().find(|&c| deceives(c));
    assert_eq!(found, None, "{}", record.text.escape_unicode());
}

/// Checks the record of a string.
fn check_record(record: &Record, sent: &Sent) {
    let json = &record.json;
    let text = &record.text;
    let expected = expected(sent.place, &sent.bytes);
    let kind = match expected {
        Expected::Guest(_) => "guest",
        Expected::Refused(_) | Expected::Trap => "event",
    };
    assert_eq!(keys(json), [kind, "host"], "{text}");
    let host = [
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
    assert_eq!(keys(&json["host"]), host, "{text}");
    assert_eq!(keys(&json["host"]["component"]), ["name", "sha256"]);
    let request = &json["host"]["request"];
    assert_eq!(keys(request), ["id", "method", "path", "peer"], "{text}");
    assert_eq!(request["method"], "POST");
    assert_eq!(request["path"], sent.path.as_str());
    if let Some(id) = sent.response.header("x-request-id") {
        assert_eq!(request["id"], id);
    }
    let answer = String::from_utf8_lossy(&sent.response.body);
    let status = sent.response.status;
    match expected {
        Expected::Guest(guest) => {
            assert_eq!(json["guest"], guest, "{text}");
            assert_eq!((status, &*answer), (200, &*record.sequence.to_string()));
        }
        Expected::Refused(reason) => {
            let event = json!({"type": "entry-refused", "reason": reason});
            assert_eq!(json["event"], event, "{text}");
            assert_eq!((status, &*answer), (500, &*format!("error: {reason}")));
        }
        Expected::Trap => {
            assert_eq!(json["event"]["type"], "guest-failure", "{text}");
            assert_eq!(json["event"]["kind"], "trap", "{text}");
            assert_eq!(status, 500, "{answer}");
        }
    }
}

/// The result of a string in this field according to the contract.
fn expected(place: &str, bytes: &[u8]) -> Expected {
    let Ok(string) = str::from_utf8(bytes) else {
        return Expected::Trap;
    };
    let (mut action, mut name, mut value) = ("append", "value", "");
    match place {
        "value" => value = string,
        "action" => action = string,
        "name" => name = string,
        "resource" => {}
        _ => return Expected::Trap,
    }
    let mut guest = json!({
        "action": action,
        "outcome": "success",
        "attributes": [{"name": name, "value": value}],
    });
    let mut length = action.len() + name.len() + value.len();
    if place == "resource" {
        guest["resource"] = string.into();
        length += string.len();
    }
    if action.is_empty() || name.is_empty() {
        return Expected::Refused("invalid");
    }
    if length > MAX_ENTRY_BYTES {
        return Expected::Refused("too-large");
    }
    Expected::Guest(guest)
}

fn keys(object: &Value) -> Vec<&str> {
    let object = object.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}
