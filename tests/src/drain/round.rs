//! One server, from its start until it has ended.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread::{self, ScopedJoinHandle, sleep};
use std::time::{Duration, Instant};

use super::clients::{self, LONGEST_PAUSE_US, Signalled, Values};
use super::fate::{Outcome, Request};
use crate::audit::{self, Kind, Record};
use crate::guests::Guest;
use crate::process::{Process, Signal};
use crate::random::Random;
use crate::{DEADLINE, artifacts};

/// How many clients keep their connection, and how many one of HTTP/2; how many come
/// anew each time; how many have sent half a request when the signal comes, and how many
/// nothing yet.
const KEEPING: usize = 12;
const STREAMING: usize = 4;
const COMING: usize = 6;
const HALVING: usize = 4;
const UNUSED: usize = 4;

/// What one round showed.
#[derive(Debug)]
pub(super) struct Seen {
    /// When the signal was sent.
    pub(super) signal: Instant,
    pub(super) requests: Vec<Request>,
    /// How often clients could not connect.
    pub(super) refused: u64,
    /// How many records of guests the audit log has.
    pub(super) records: u64,
    /// Where each value is in it.
    places: BTreeMap<String, u64>,
}

impl Seen {
    /// Whether the audit log has the entry of this request, where its receipt says, if
    /// it has one.
    pub(super) fn is_recorded(&self, request: &Request) -> bool {
        match (self.places.get(&request.value), &request.outcome) {
            (Some(place), Outcome::Receipt(receipt)) => place == receipt,
            (place, _) => place.is_some(),
        }
    }
}

/// Starts a server, lets clients send, and ends it after a while.
///
/// # Errors
///
/// Says what the server did that it must not do: not start, not end with 0, or leave
/// an audit log that is broken or has what nobody sent.
pub(super) fn run(
    guest: &Guest,
    folder: &Path,
    round: u32,
    random: &mut Random,
) -> Result<Seen, String> {
    const START: &str = "listening on http://";

    let location = Kind::Sqlite.location(folder);
    let mut command = Command::new(artifacts::program("component-runner"));
    command
        .arg("serve")
        .arg(guest.path())
        .args(["--addr", "127.0.0.1:0", "--audit", &location.to_string()])
        .env_remove("RUST_LOG")
        .env_remove("RUST_BACKTRACE");
    let mut process = Process::start(&mut command);
    let line = process.stdout.wait_for_entry_or_end(&[START], DEADLINE);
    let address = line.and_then(|line| line.trim_start_matches(START).parse().ok());
    let Some(address) = address else {
        return Err(format!("no start:\n{}", process.stderr.text()));
    };
    let after = Duration::from_millis(20 + random.below(280) as u64);
    let (signal, seen) = send_and_end(&process, address, round, after, random);
    let status = process.wait();
    if status.code() != Some(0) {
        let log = process.stderr.text();
        return Err(format!("the server ended with {status}:\n{log}"));
    }

    let records = audit::read(&location)?;
    check_end(&records)?;
    let mut places = BTreeMap::new();
    for (value, place) in audit::places(&records)? {
        places.insert(value.to_owned(), place);
    }
    let requests: Vec<Request> = seen.iter().flat_map(|seen| seen.requests.clone()).collect();
    for value in places.keys() {
        if !requests.iter().any(|request| request.value == *value) {
            return Err(format!("`{value}` is in the audit log, and nobody sent it"));
        }
    }
    Ok(Seen {
        signal,
        requests,
        refused: seen.iter().map(|seen| seen.refused).sum(),
        records: places.len() as u64,
        places,
    })
}

/// Lets all clients send, and sends the signal `after` a while. Returns when that
/// was, and what each client saw.
fn send_and_end(
    process: &Process,
    address: SocketAddr,
    round: u32,
    after: Duration,
    random: &mut Random,
) -> (Instant, Vec<clients::Seen>) {
    let signalled = &Signalled::new(HALVING + UNUSED);
    let values = |kind: &str, index: usize| Values {
        name: format!("round {round} {kind} {index}"),
        count: 0,
    };
    thread::scope(|scope| {
        let mut all: Vec<ScopedJoinHandle<'_, clients::Seen>> = Vec::new();
        for index in 0..KEEPING {
            let (values, random) = (values("keeping", index), Random::new(random.number()));
            all.push(scope.spawn(move || clients::keep(address, values, random)));
        }
        for index in 0..STREAMING {
            let values = values("streaming", index);
            all.push(scope.spawn(move || clients::keep_streams(address, values)));
        }
        for index in 0..COMING {
            let values = values("coming", index);
            all.push(scope.spawn(move || clients::come_anew(address, values)));
        }
        for index in 0..HALVING {
            let values = values("halving", index);
            let moment = Duration::from_millis(random.below(200) as u64);
            all.push(scope.spawn(move || clients::halve(address, values, signalled, moment)));
        }
        for index in 0..UNUSED {
            let values = values("unused", index);
            let within = *random.pick(&[2000, LONGEST_PAUSE_US]);
            let moment = Duration::from_micros(random.below(within) as u64);
            all.push(scope.spawn(move || clients::wait_unused(address, values, signalled, moment)));
        }
        signalled.wait_for_clients();
        // Not a wait for something, but the moment at which it happens.
        sleep(after);
        let signal = Instant::now();
        process.signal(Signal::TERM);
        signalled.is_sent_now();
        let seen = all.into_iter().map(|one| one.join().expect("a client"));
        (signal, seen.collect())
    })
}

/// Whether the last record but for checkpoints says that the server was asked to end.
fn check_end(records: &[Record]) -> Result<(), String> {
    let mut records = records.iter().rev();
    match records.find(|record| record.json.get("checkpoint").is_none()) {
        Some(record) if record.event() == Some("server-stop") => Ok(()),
        Some(record) => Err(format!("the audit log ends with {}", record.text)),
        None => Err("the audit log is empty".to_owned()),
    }
}
