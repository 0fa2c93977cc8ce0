//! One server, from its start to its end by SIGTERM.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::clients::{self, Gate, MAX_PAUSE_US, Values};
use super::verdict::{Outcome, Request};
use crate::Starting;
use crate::audit::{self, Kind, Record};
use crate::guests::Guest;
use crate::process::Signal;
use crate::random::Random;
use crate::stress::harness;

/// Numbers of clients: with a kept connection, the same over HTTP/2, with a new connection per
/// request, with an incomplete request at the signal, with an unused connection at the signal.
const KEEP_ALIVE: usize = 12;
const HTTP2: usize = 4;
const RECONNECTING: usize = 6;
const SPLITTING: usize = 4;
const UNUSED: usize = 4;

/// What the clients and the audit log of one round show.
#[derive(Debug)]
pub(super) struct Observed {
    /// When the signal was sent.
    pub(super) signal: Instant,
    pub(super) requests: Vec<Request>,
    /// Refused connection attempts.
    pub(super) refused: u64,
    /// Records of guests in the audit log.
    pub(super) records: u64,
    /// Sequence number of each value.
    sequences: BTreeMap<String, u64>,
}

impl Observed {
    /// Whether the audit log has the entry of this request, with the number of its receipt if it
    /// has one.
    pub(super) fn is_recorded(&self, request: &Request) -> bool {
        match (self.sequences.get(&request.value), &request.outcome) {
            (Some(sequence), Outcome::Receipt(receipt)) => sequence == receipt,
            (sequence, _) => sequence.is_some(),
        }
    }
}

/// Starts a server, lets clients send, and ends it after a while.
///
/// # Errors
///
/// Fails if the server does not start, does not end with 0, or leaves an audit log that is broken
/// or has an entry that no client sent.
pub(super) fn run(
    guest: &Guest,
    folder: &Path,
    round: u32,
    random: &mut Random,
) -> Result<Observed, String> {
    let location = Kind::Sqlite.location(folder);
    let mut server = harness::start(guest, &location);
    let Some(address) = server.wait_until_listening() else {
        return Err(format!(
            "the server did not start:\n{}",
            server.log().text()
        ));
    };
    let delay = Duration::from_millis(20 + random.below(280) as u64);
    let (signal, seen) = send_and_terminate(&server, address, round, delay, random);
    let status = server.wait();
    if status.code() != Some(0) {
        let log = server.log().text();
        return Err(format!("the server ended with {status}:\n{log}"));
    }

    let records = audit::read(&location)?;
    check_end(&records)?;
    let mut sequences = BTreeMap::new();
    for (value, sequence) in audit::sequences(&records)? {
        sequences.insert(value.to_owned(), sequence);
    }
    let refused = seen.iter().map(|seen| seen.refused).sum();
    let requests: Vec<Request> = seen.into_iter().flat_map(|seen| seen.requests).collect();
    for value in sequences.keys() {
        if !requests.iter().any(|request| request.value == *value) {
            return Err(format!(
                "`{value}` is in the audit log, and no client sent it"
            ));
        }
    }
    Ok(Observed {
        signal,
        requests,
        refused,
        records: sequences.len() as u64,
        sequences,
    })
}

/// Lets all clients send, and sends the signal after `delay`. Returns when that was, and what
/// each client observed.
fn send_and_terminate(
    server: &Starting,
    address: SocketAddr,
    round: u32,
    delay: Duration,
    random: &mut Random,
) -> (Instant, Vec<clients::Seen>) {
    let gate = &Gate::new(SPLITTING + UNUSED);
    let values = |kind: &str, index: usize| Values {
        name: format!("round {round} {kind} {index}"),
        count: 0,
    };
    thread::scope(|scope| {
        let mut all = Vec::new();
        for index in 0..KEEP_ALIVE {
            let (values, random) = (values("keep-alive", index), random.fork());
            all.push(scope.spawn(move || clients::keep_alive(address, values, random)));
        }
        for index in 0..HTTP2 {
            let values = values("http2", index);
            all.push(scope.spawn(move || clients::send_streams(address, values)));
        }
        for index in 0..RECONNECTING {
            let values = values("reconnecting", index);
            all.push(scope.spawn(move || clients::reconnect(address, values)));
        }
        for index in 0..SPLITTING {
            let values = values("splitting", index);
            let pause = Duration::from_millis(random.below(200) as u64);
            all.push(scope.spawn(move || clients::split(address, values, gate, pause)));
        }
        for index in 0..UNUSED {
            let values = values("unused", index);
            let max_us = *random.pick(&[2000, MAX_PAUSE_US]);
            let pause = Duration::from_micros(random.below(max_us) as u64);
            all.push(scope.spawn(move || clients::use_late(address, values, gate, pause)));
        }
        gate.wait_for_clients();
        // The sleep is the moment of the signal, not a wait for a condition.
        sleep(delay);
        let signal = Instant::now();
        server.signal(Signal::TERM);
        gate.open();
        let seen = all
            .into_iter()
            .map(|client| client.join().expect("a client"));
        (signal, seen.collect())
    })
}

/// Whether the last record, apart from checkpoints, is the stop of the server.
fn check_end(records: &[Record]) -> Result<(), String> {
    let mut records = records.iter().rev();
    match records.find(|record| record.json.get("checkpoint").is_none()) {
        Some(record) if record.event() == Some("server-stop") => Ok(()),
        Some(record) => Err(format!("the audit log ends with {}", record.text)),
        None => Err("the audit log is empty".to_owned()),
    }
}
