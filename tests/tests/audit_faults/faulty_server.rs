//! A server whose audit log fails, and the answers that its clients got.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use audit_log::Location;
use end_to_end::audit::{self, Kind, Record, receipt};
use end_to_end::cases::check_problem;
use end_to_end::client::{Connection, Response, post};
use end_to_end::concurrent::on_threads;
use end_to_end::process::Signal;
use end_to_end::strace::Fault;
use end_to_end::{DEADLINE, Setup, TestHost};
use tempfile::TempDir;

/// Number of clients that send while the log fails.
const CLIENTS: usize = 4;

pub(super) struct FaultyServer {
    pub(super) host: TestHost,
    pub(super) location: Location,
    folder: TempDir,
    /// The path to which entries are sent.
    path: &'static str,
    answers: Answers,
}

/// The answers that clients got.
#[derive(Default)]
struct Answers {
    /// Number of entries that were sent.
    count: usize,
    receipts: Vec<(String, u64)>,
    refused: BTreeSet<String>,
}

impl FaultyServer {
    pub(super) fn start(kind: Kind) -> Self {
        Self::start_as(kind, "/value", |setup, _| setup)
    }

    /// Starts a server with more flags, or through another program, whose entries go to this path
    /// of `guests/appender.wat`.
    pub(super) fn start_as(
        kind: Kind,
        path: &'static str,
        setup: impl FnOnce(Setup, &Path) -> Setup,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let location = kind.location(folder.path());
        let host = TestHost::serve_guest("appender").flag("--audit", location.to_string());
        Self {
            host: setup(host, folder.path()).start(),
            location,
            folder,
            path,
            answers: Answers::default(),
        }
    }

    /// Makes system calls about the files of the log fail; see [`Fault::inject`].
    pub(super) fn inject(&self, injection: &str) -> Option<Fault> {
        Fault::inject(
            self.host.process_id(),
            "audit-log",
            injection,
            &self.files(),
        )
    }

    fn files(&self) -> Vec<PathBuf> {
        let path = self.location.path().expect("a file");
        match self.location {
            Location::Sqlite(_) => ["", "-wal"]
                .map(|end| PathBuf::from(format!("{}{end}", path.display())))
                .to_vec(),
            _ => vec![path.to_owned()],
        }
    }

    /// Size of the file of the log.
    pub(super) fn file_bytes(&self) -> u64 {
        let path = self.location.path().expect("a file");
        fs::metadata(path).expect("a file").len()
    }

    /// The folder of the log.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends entries, each of which must get its receipt.
    pub(super) fn append(&mut self, count: usize) {
        let mut connection = self.host.connect();
        for _ in 0..count {
            let value = self.answers.next_value();
            let response = send(&mut connection, self.path, &value);
            let sequence = receipt(&response);
            let sequence = sequence.unwrap_or_else(|| panic!("no receipt: {response:?}"));
            self.answers.receipts.push((value, sequence));
        }
    }

    /// Sends entries until one is refused.
    pub(super) fn append_until_refused(&mut self) {
        self.send_until(|sequence| sequence.is_none());
    }

    /// Sends entries until one gets a receipt again.
    pub(super) fn append_until_recovered(&mut self) {
        self.send_until(|sequence| sequence.is_some());
    }

    fn send_until(&mut self, is_enough: impl Fn(Option<u64>) -> bool) {
        let start = Instant::now();
        let mut connection = self.host.connect();
        while start.elapsed() < DEADLINE {
            let value = self.answers.next_value();
            let response = send(&mut connection, self.path, &value);
            let sequence = self.answers.record(value, &response);
            if is_enough(sequence) {
                return;
            }
        }
        panic!("no answer changed in time");
    }

    /// Sends entries on several connections for this time, none of which may get a receipt.
    pub(super) fn expect_refusals(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        let (host, path) = (&self.host, self.path);
        let count = self.answers.count;
        let client = move |number| {
            let mut connection = host.connect();
            let mut refused = Vec::new();
            while Instant::now() < end {
                let value = format!("{count} {number} {}", refused.len());
                let response = send(&mut connection, path, &value);
                check_problem(&response, 503, &[]);
                refused.push(value);
            }
            refused
        };
        for refused in on_threads(CLIENTS, client) {
            self.answers.refused.extend(refused);
        }
        assert!(self.answers.refused.len() > CLIENTS, "too few were sent");
    }

    /// Ends the server with SIGTERM, and checks the log.
    pub(super) fn check(mut self) -> Vec<Record> {
        assert_eq!(self.host.terminate().code(), Some(0));
        self.check_at(&self.location)
    }

    /// Kills the server, and checks that the log has exactly the entries with a receipt.
    pub(super) fn check_killed(mut self) {
        self.host.signal(Signal::KILL);
        self.host.wait();
        let records = audit::records(&self.location);
        self.answers.check_receipts(&records);
    }

    /// Stops the server, and checks a copy of the log in the folder `mounted`, which only the
    /// server sees at its own path.
    pub(super) fn check_mounted(self, mounted: &Path) -> Vec<Record> {
        // So that the copy is consistent.
        self.host.signal(Signal::STOP);
        let copies = tempfile::tempdir().expect("a folder");
        for file in self.files() {
            let name = file.file_name().expect("a name");
            fs::copy(mounted.join(name), copies.path().join(name)).expect("a file");
        }
        let kind = match self.location {
            Location::Sqlite(_) => Kind::Sqlite,
            _ => Kind::JsonLines,
        };
        self.check_at(&kind.location(copies.path()))
    }

    /// Checks that the log has exactly the entries with a receipt, and the number of refused
    /// ones.
    fn check_at(&self, location: &Location) -> Vec<Record> {
        let records = audit::records(location);
        self.answers.check_receipts(&records);
        let refused = self.answers.refused.len() as u64;
        assert_eq!(sum(&records, "log-recovered", "refused"), refused);
        records
    }
}

impl Answers {
    /// Checks that the log has exactly the entries with a receipt, at their sequence numbers.
    fn check_receipts(&self, records: &[Record]) {
        let mut sequences = audit::sequences(records).expect("unique values");
        for (value, sequence) in &self.receipts {
            let found = sequences.remove(value.as_str());
            assert_eq!(found, Some(*sequence), "{value}");
        }
        assert!(sequences.is_empty(), "no receipt for {sequences:?}");
    }

    fn next_value(&mut self) -> String {
        self.count += 1;
        format!("{}", self.count)
    }

    /// Records the answer to `value`, and returns its sequence number, if it has one.
    fn record(&mut self, value: String, response: &Response) -> Option<u64> {
        let sequence = receipt(response);
        if let Some(sequence) = sequence {
            self.receipts.push((value, sequence));
        } else {
            check_problem(response, 503, &[]);
            self.refused.insert(value);
        }
        sequence
    }
}

/// Sum of a number over all events of a type.
pub(super) fn sum(records: &[Record], event: &str, number: &str) -> u64 {
    let events = records
        .iter()
        .filter(|record| record.event() == Some(event));
    let number = |record: &Record| record.json["event"][number].as_u64();
    events.map(|record| number(record).expect("a number")).sum()
}

/// Sends an entry.
fn send(connection: &mut Connection, path: &str, value: &str) -> Response {
    let response = connection.exchange(&post(path, value));
    assert_ne!(response.header("connection"), Some("close"), "{response:?}");
    response
}
