//! A server whose log is going to fail, and what its clients were told.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use audit_log::Location;
use end_to_end::audit::{self, Kind, Record};
use end_to_end::cases::check_problem;
use end_to_end::client::{Connection, Response, post};
use end_to_end::guests::Guest;
use end_to_end::process::Signal;
use end_to_end::strace::Fault;
use end_to_end::{DEADLINE, Setup, TestHost};
use tempfile::TempDir;

/// How many clients send while the log fails.
const CLIENTS: usize = 4;

pub(super) struct Victim {
    pub(super) host: TestHost,
    pub(super) location: Location,
    folder: TempDir,
    _guest: Guest,
    /// The path that entries are sent to.
    path: &'static str,
    told: Told,
}

/// What clients were told.
#[derive(Default)]
struct Told {
    /// How many entries were sent.
    count: usize,
    receipts: Vec<(String, u64)>,
    refused: BTreeSet<String>,
}

impl Victim {
    pub(super) fn start(kind: Kind) -> Self {
        Self::start_as(kind, "/value", |setup, _| setup)
    }

    /// The same, with more flags, or within another program, and where entries go to
    /// another path of `guests/appender.wat`.
    pub(super) fn start_as(
        kind: Kind,
        path: &'static str,
        setup: impl FnOnce(Setup, &Path) -> Setup,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let location = kind.location(folder.path());
        let guest = Guest::assemble("appender");
        let host = TestHost::serve(guest.path()).flag("--audit", location.to_string());
        Self {
            host: setup(host, folder.path()).start(),
            location,
            folder,
            _guest: guest,
            path,
            told: Told::default(),
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

    /// How long the file of the log is.
    pub(super) fn file_bytes(&self) -> u64 {
        let path = self.location.path().expect("a file");
        fs::metadata(path).expect("a file").len()
    }

    /// The folder of the log.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends so many entries, each of which must get its receipt.
    pub(super) fn take(&mut self, count: usize) {
        let mut connection = self.host.connect();
        for _ in 0..count {
            let value = self.told.next_value();
            let response = send(&mut connection, self.path, &value);
            let sequence = receipt(&response);
            let sequence = sequence.unwrap_or_else(|| panic!("no receipt: {response:?}"));
            self.told.receipts.push((value, sequence));
        }
    }

    /// Sends entries until one is refused.
    pub(super) fn take_until_refused(&mut self) {
        self.send_until(|sequence| sequence.is_none());
    }

    /// Sends entries until one gets a receipt again.
    pub(super) fn refuse_until_recovered(&mut self) {
        self.send_until(|sequence| sequence.is_some());
    }

    fn send_until(&mut self, is_enough: impl Fn(Option<u64>) -> bool) {
        let start = Instant::now();
        let mut connection = self.host.connect();
        while start.elapsed() < DEADLINE {
            let value = self.told.next_value();
            let response = send(&mut connection, self.path, &value);
            let sequence = self.told.hear(value, &response);
            if is_enough(sequence) {
                return;
            }
        }
        panic!("nothing has changed");
    }

    /// Sends entries on several connections for so long, none of which may get a
    /// receipt.
    pub(super) fn refuse_for(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        let (host, path) = (&self.host, self.path);
        let count = self.told.count;
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
        thread::scope(|scope| {
            let clients = [0, 1, 2, 3].map(|number| scope.spawn(move || client(number)));
            for client in clients {
                self.told.refused.extend(client.join().expect("a client"));
            }
        });
        assert!(self.told.refused.len() > CLIENTS, "too few were sent");
    }

    /// Asks the server to end, and checks the log.
    pub(super) fn check(mut self) -> Vec<Record> {
        assert_eq!(self.host.terminate().code(), Some(0));
        self.check_at(&self.location)
    }

    /// Kills the server, and checks that the log has what has a receipt, and nothing
    /// else.
    pub(super) fn check_killed(mut self) {
        self.host.signal(Signal::KILL);
        self.host.wait();
        let records = audit::records(&self.location);
        self.told.check_places(&records);
    }

    /// Ends the server, and checks the log, which only the server sees, in the
    /// folder `seen`.
    pub(super) fn check_seen(self, seen: &Path) -> Vec<Record> {
        // Nothing changes while it is copied.
        self.host.signal(Signal::STOP);
        let copies = tempfile::tempdir().expect("a folder");
        for file in self.files() {
            let name = file.file_name().expect("a name");
            fs::copy(seen.join(name), copies.path().join(name)).expect("a file");
        }
        let kind = match self.location {
            Location::Sqlite(_) => Kind::Sqlite,
            _ => Kind::JsonLines,
        };
        self.check_at(&kind.location(copies.path()))
    }

    /// Checks that every entry with a receipt is where that says, no other one is
    /// there, and the log says how many were refused.
    fn check_at(&self, location: &Location) -> Vec<Record> {
        let records = audit::records(location);
        self.told.check_places(&records);
        let refused = self.told.refused.len() as u64;
        assert_eq!(sum(&records, "log-recovered", "refused"), refused);
        records
    }
}

impl Told {
    /// Every entry with a receipt is where that says, and no other one is there.
    fn check_places(&self, records: &[Record]) {
        let mut places = audit::places(records).expect("each value once");
        for (value, sequence) in &self.receipts {
            let place = places.remove(value.as_str());
            assert_eq!(place, Some(*sequence), "{value}");
        }
        assert!(places.is_empty(), "no receipt for {places:?}");
    }

    fn next_value(&mut self) -> String {
        self.count += 1;
        format!("{}", self.count)
    }

    /// Keeps what became of `value`. Returns its sequence, if it has one.
    fn hear(&mut self, value: String, response: &Response) -> Option<u64> {
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

/// Adds up a number of all events of a type.
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

/// The sequence in a response, if there is one.
fn receipt(response: &Response) -> Option<u64> {
    let digits = str::from_utf8(&response.body).ok()?;
    (response.status == 200).then(|| digits.parse().expect("a number"))
}
