//! One server, from its start until it is killed.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use audit_log::Location;

use crate::client::{Connection, post};
use crate::guests::Guest;
use crate::process::{Process, Signal};
use crate::random::Random;
use crate::{DEADLINE, artifacts};

/// How many clients send at the same time.
const CLIENTS: usize = 6;

/// What is sent, and when the server is killed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    number: u32,
    /// The kill is so long after the moment that `is_early` names.
    after: Duration,
    /// Whether that is the start of the process, and not that it listens.
    is_early: bool,
    /// How many bytes each value has beyond what makes it unique.
    padding_bytes: usize,
}

/// What clients saw until then.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Whether the server listened.
    pub(super) listened: bool,
    /// The values that are in the log, and their places, as the server said.
    pub(super) receipts: Vec<(String, u64)>,
    /// The values that were sent and not answered.
    pub(super) unanswered: Vec<String>,
}

impl Round {
    /// Some round: in one of three the server is killed while it starts. A few are
    /// long enough for a database to move its write-ahead log.
    pub(super) fn any(number: u32, random: &mut Random) -> Self {
        let is_early = random.below(3) == 0;
        let milliseconds = match random.below(25) {
            _ if is_early => 1 + random.below(40),
            0 => 2000 + random.below(1000),
            _ => 5 + random.below(295),
        };
        Self {
            number,
            after: Duration::from_millis(milliseconds as u64),
            is_early,
            padding_bytes: [0, 0, 100, 3900][random.below(4)],
        }
    }
}

/// Starts a server on the log, sends as much as it takes, and kills it.
///
/// # Errors
///
/// Says what the server did that it must not do: end by itself, or answer with
/// something else than a receipt.
pub(super) fn run(guest: &Guest, location: &Location, round: Round) -> Result<Seen, String> {
    const START: &str = "listening on http://";

    let mut command = Command::new(artifacts::program("component-runner"));
    command
        .arg("serve")
        .arg(guest.path())
        .args(["--addr", "127.0.0.1:0", "--audit", &location.to_string()])
        .env_remove("RUST_LOG")
        .env_remove("RUST_BACKTRACE");
    let mut process = Process::start(&mut command);
    let answers = thread::scope(|scope| {
        // Not a wait for something, but the moment at which it happens.
        if round.is_early {
            let process = &process;
            scope.spawn(move || {
                thread::sleep(round.after);
                process.signal(Signal::KILL);
            });
        }
        let line = process.stdout.wait_for_entry_or_end(&[START], DEADLINE)?;
        let address: SocketAddr = line.trim_start_matches(START).parse().expect("an address");
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| scope.spawn(move || send_until_killed(address, round, client)))
            .collect();
        if !round.is_early {
            thread::sleep(round.after);
            process.signal(Signal::KILL);
        }
        let join = |client: thread::ScopedJoinHandle<'_, _>| client.join().expect("a client");
        Some(clients.into_iter().map(join).collect::<Vec<_>>())
    });
    let status = process.wait();
    if std::os::unix::process::ExitStatusExt::signal(&status) != Some(9) {
        let log = process.stderr.text();
        return Err(format!("the server ended by itself, with {status}:\n{log}"));
    }
    let mut seen = Seen {
        listened: answers.is_some(),
        ..Seen::default()
    };
    for client in answers.into_iter().flatten() {
        let client = client?;
        seen.receipts.extend(client.receipts);
        seen.unanswered.extend(client.unanswered);
    }
    Ok(seen)
}

/// Sends entries on one connection, each after the receipt for the one before.
/// Returns the receipts, and the value that got none.
fn send_until_killed(address: SocketAddr, round: Round, client: usize) -> Result<Seen, String> {
    let Round {
        number,
        padding_bytes,
        ..
    } = round;
    let mut seen = Seen::default();
    let Ok(mut connection) = Connection::try_open(address) else {
        return Ok(seen);
    };
    for count in 0_u64.. {
        let padding = ".".repeat(padding_bytes);
        let value = format!("round {number} client {client} count {count} {padding}");
        let request = post("/value", value.as_str());
        let response = match connection.try_write(&request.bytes()) {
            Ok(()) => connection.receive_if_any(),
            Err(_) => None,
        };
        let Some(response) = response.filter(|response| response.is_complete) else {
            seen.unanswered.push(value);
            break;
        };
        let sequence = str::from_utf8(&response.body).ok();
        let sequence = sequence.and_then(|digits| digits.parse().ok());
        match sequence {
            Some(sequence) if response.status == 200 => seen.receipts.push((value, sequence)),
            _ => return Err(format!("`{value}` was answered with {response:?}")),
        }
    }
    Ok(seen)
}
