//! One server, from its start to its kill.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Duration;

use audit_log::Location;

use crate::audit::receipt;
use crate::client::{Connection, post};
use crate::concurrent::on_threads;
use crate::guests::Guest;
use crate::process::Signal;
use crate::random::Random;
use crate::stress::harness;

/// Number of clients.
const CLIENTS: usize = 6;

/// Size of the values, and time of the kill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    number: u32,
    /// Delay of the kill.
    delay: Duration,
    /// Whether the delay counts from the start of the process, rather than from when it listens.
    is_early: bool,
    /// Bytes of each value beyond those that make it unique.
    padding_bytes: usize,
}

/// What clients received until the kill.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// Whether the server listened.
    pub(super) listened: bool,
    /// Values with the sequence numbers of their receipts.
    pub(super) receipts: Vec<(String, u64)>,
    /// Values that were sent and got no response.
    pub(super) unanswered: Vec<String>,
}

impl Round {
    /// One in three rounds kills the server while it starts. A few are long enough for a
    /// database to checkpoint its write-ahead log.
    pub(super) fn random(number: u32, random: &mut Random) -> Self {
        let is_early = random.below(3) == 0;
        let milliseconds = match random.below(25) {
            _ if is_early => 1 + random.below(40),
            0 => 2000 + random.below(1000),
            _ => 5 + random.below(295),
        };
        Self {
            number,
            delay: Duration::from_millis(milliseconds as u64),
            is_early,
            padding_bytes: [0, 0, 100, 3900][random.below(4)],
        }
    }
}

/// Starts a server on the log, sends as much as it accepts, and kills it.
///
/// # Errors
///
/// Fails if the server ends by itself, or answers with something other than a receipt.
pub(super) fn run(guest: &Guest, location: &Location, round: Round) -> Result<Observed, String> {
    let mut server = harness::start(guest, location);
    // The sleep is the moment of the kill, not a wait for a condition.
    let kill = || {
        thread::sleep(round.delay);
        server.signal(Signal::KILL);
    };
    let clients = thread::scope(|scope| {
        if round.is_early {
            scope.spawn(kill);
        }
        let address = server.wait_until_listening()?;
        if !round.is_early {
            scope.spawn(kill);
        }
        let send = |client| send_until_killed(address, round, client);
        Some(on_threads(CLIENTS, send))
    });
    let status = server.wait();
    if status.signal() != Some(Signal::KILL.as_raw()) {
        let log = server.log().text();
        return Err(format!("the server ended by itself, with {status}:\n{log}"));
    }
    let mut observed = Observed {
        listened: clients.is_some(),
        ..Observed::default()
    };
    for client in clients.into_iter().flatten() {
        let client = client?;
        observed.receipts.extend(client.receipts);
        observed.unanswered.extend(client.unanswered);
    }
    Ok(observed)
}

/// Sends entries on one connection, each after the receipt of the previous one. Returns the
/// receipts, and the value without one.
fn send_until_killed(address: SocketAddr, round: Round, client: usize) -> Result<Observed, String> {
    let number = round.number;
    let padding = ".".repeat(round.padding_bytes);
    let mut observed = Observed::default();
    let Ok(mut connection) = Connection::try_open(address) else {
        return Ok(observed);
    };
    for count in 0_u64.. {
        let value = format!("round {number} client {client} count {count} {padding}");
        let request = post("/value", value.as_str());
        let response = match connection.try_write(&request.bytes()) {
            Ok(()) => connection.receive_if_any(),
            Err(_) => None,
        };
        let Some(response) = response.filter(|response| response.is_complete) else {
            observed.unanswered.push(value);
            break;
        };
        match receipt(&response) {
            Some(sequence) => observed.receipts.push((value, sequence)),
            None => return Err(format!("`{value}` was answered with {response:?}")),
        }
    }
    Ok(observed)
}
