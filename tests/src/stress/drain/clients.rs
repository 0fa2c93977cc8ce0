//! The clients, each of which repeats one kind of exchange.

use std::io;
use std::net::SocketAddr;
use std::sync::{Barrier, Condvar, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::verdict::{Outcome, Request};
use crate::DEADLINE;
use crate::audit::receipt;
use crate::client::{Connection, Response, post};
use crate::http2::{self, Client, Event, begin};
use crate::random::Random;

/// Longest pause of a client, in microseconds. The server closes idle connections earlier, so
/// that some clients send at the moment of that.
pub(super) const MAX_PAUSE_US: usize = 700_000;

/// Holds clients back until the signal is sent.
#[derive(Debug)]
pub(super) struct Gate {
    clients: Barrier,
    is_open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    /// A gate for this number of clients.
    pub(super) fn new(clients: usize) -> Self {
        Self {
            clients: Barrier::new(clients + 1),
            is_open: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Waits until all clients are at the gate.
    pub(super) fn wait_for_clients(&self) {
        self.clients.wait();
    }

    /// Lets all clients pass.
    pub(super) fn open(&self) {
        *self.is_open.lock().expect("no thread panics with it") = true;
        self.changed.notify_all();
    }

    fn pass(&self) {
        self.clients.wait();
        let is_open = self.is_open.lock().expect("no thread panics with it");
        let is_closed = |is_open: &mut bool| !*is_open;
        let waited = self
            .changed
            .wait_timeout_while(is_open, DEADLINE, is_closed);
        let (is_open, _) = waited.expect("no thread panics with it");
        assert!(*is_open, "the signal was never sent");
    }
}

/// What one client observed.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) requests: Vec<Request>,
    /// Refused connection attempts.
    pub(super) refused: u64,
}

/// A source of unique values.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) name: String,
    pub(super) count: u32,
}

impl Values {
    fn next(&mut self) -> String {
        self.count += 1;
        format!("{} {}", self.name, self.count)
    }
}

/// Sends one request after the other on one connection until it ends, sometimes after a pause.
pub(super) fn keep_alive(address: SocketAddr, mut values: Values, mut random: Random) -> Seen {
    let mut seen = Seen::default();
    let Ok(mut connection) = Connection::try_open(address) else {
        seen.refused += 1;
        return seen;
    };
    let connected = Instant::now();
    loop {
        let is_first = seen.requests.is_empty();
        let (request, is_last) = exchange(&mut connection, connected, is_first, values.next());
        seen.requests.push(request);
        if is_last {
            return seen;
        }
        // So that the signal finds active and idle connections, and the end of idle connections
        // finds clients that send.
        let pause = match random.below(20) {
            0..10 => 0,
            10..19 => random.below(5000),
            _ => random.below(MAX_PAUSE_US),
        };
        sleep(Duration::from_micros(pause as u64));
    }
}

/// Makes a connection for each request, until connections are refused.
pub(super) fn reconnect(address: SocketAddr, mut values: Values) -> Seen {
    let mut seen = Seen::default();
    loop {
        match Connection::try_open(address) {
            Ok(mut connection) => {
                let (request, _) = exchange(&mut connection, Instant::now(), true, values.next());
                seen.requests.push(request);
            }
            // The listener was closed while the connection waited to be accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => seen.refused += 1,
            Err(_) => {
                seen.refused += 1;
                return seen;
            }
        }
    }
}

/// Connects, and sends its first request `pause` after the signal.
pub(super) fn use_late(
    address: SocketAddr,
    mut values: Values,
    gate: &Gate,
    pause: Duration,
) -> Seen {
    let mut seen = Seen::default();
    let mut connection = Connection::open(address);
    let connected = Instant::now();
    gate.pass();
    sleep(pause);
    let (request, _) = exchange(&mut connection, connected, true, values.next());
    seen.requests.push(request);
    seen
}

/// Sends a part of a request, and the rest `pause` after the signal.
pub(super) fn split(address: SocketAddr, mut values: Values, gate: &Gate, pause: Duration) -> Seen {
    let value = values.next();
    let whole = post("/value", value.as_str()).bytes();
    let (first, rest) = whole.split_at(whole.len() - value.len() / 2);
    let mut connection = Connection::open(address);
    let connected = Instant::now();
    connection.write(first);
    let begun = Some(Instant::now());
    gate.pass();
    sleep(pause);
    let written = connection.try_write(rest).ok().map(|()| Instant::now());
    let request = Request {
        value,
        connected,
        is_first: true,
        begun,
        written,
        is_split: true,
        saw_close: false,
        outcome: outcome(&mut connection).0,
        ended: Instant::now(),
    };
    Seen {
        requests: vec![request],
        refused: 0,
    }
}

/// Sends a request and waits for its outcome. Returns also whether the connection has ended.
fn exchange(
    connection: &mut Connection,
    connected: Instant,
    is_first: bool,
    value: String,
) -> (Request, bool) {
    let bytes = post("/value", value.as_str()).bytes();
    let written = connection.try_write(&bytes).ok().map(|()| Instant::now());
    let saw_close = connection.has_ended();
    let (outcome, is_last) = outcome(connection);
    let request = Request {
        value,
        connected,
        is_first,
        begun: written,
        written,
        is_split: false,
        saw_close,
        outcome,
        ended: Instant::now(),
    };
    (request, is_last)
}

/// Sends one request after the other on one connection of HTTP/2, until the server announces its
/// end or closes it.
pub(super) fn send_streams(address: SocketAddr, mut values: Values) -> Seen {
    let mut seen = Seen::default();
    let opened = Client::open(address, DEADLINE).and_then(|mut client| {
        client.send(&begin())?;
        Ok(client)
    });
    let Ok(mut client) = opened else {
        seen.refused += 1;
        return seen;
    };
    let connected = Instant::now();
    // Streams of a client have odd numbers.
    for stream in (1..).step_by(2) {
        let value = values.next();
        let sent = client.send(&http2::post(stream, "/value", &value));
        let written = sent.ok().map(|()| Instant::now());
        let (outcome, is_last) = stream_outcome(&mut client, stream);
        seen.requests.push(Request {
            value,
            connected,
            is_first: stream == 1,
            begun: written,
            written,
            is_split: false,
            saw_close: false,
            outcome,
            ended: Instant::now(),
        });
        if is_last {
            break;
        }
    }
    seen
}

/// The outcome of a stream, and whether it is the last of its connection.
fn stream_outcome(client: &mut Client, stream: u32) -> (Outcome, bool) {
    let mut is_last = false;
    loop {
        match client.event().expect("a response, or the end") {
            Event::Response(found, response) if found == stream => {
                return (judge(&response), is_last);
            }
            Event::GoAway(_) => is_last = true,
            Event::Pong(_) => {}
            // It was not processed and may be sent again (RFC 9113, section 8.7).
            Event::Reset(_, code) if code == "REFUSED_STREAM" => return (Outcome::Nothing, true),
            Event::Ended => return (Outcome::Nothing, true),
            other => return (Outcome::Other(format!("{other:?}")), true),
        }
    }
}

/// The outcome of a request, and whether it is the last of its connection.
fn outcome(connection: &mut Connection) -> (Outcome, bool) {
    let Some(response) = connection.receive_if_any() else {
        return (Outcome::Nothing, true);
    };
    if !response.is_complete {
        return (Outcome::Partial, true);
    }
    let is_last = response.header("connection") == Some("close");
    (judge(&response), is_last)
}

fn judge(response: &Response) -> Outcome {
    match (response.status, receipt(response)) {
        (_, Some(sequence)) => Outcome::Receipt(sequence),
        (503, _) => Outcome::Refused,
        _ => Outcome::Other(format!("{response:?}")),
    }
}
