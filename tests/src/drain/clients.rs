//! The clients, each of which does one thing over and over.

use std::io;
use std::net::SocketAddr;
use std::sync::{Barrier, Condvar, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::fate::{Outcome, Request};
use crate::DEADLINE;
use crate::client::{Connection, Response, post};
use crate::http2::{self, Client, Event, begin};
use crate::random::Random;

/// The longest pause of a client, in microseconds. A server ends connections that wait
/// before that, so that some of their clients send at the same moment.
pub(super) const LONGEST_PAUSE_US: usize = 700_000;

/// The signal, for those who wait for it.
#[derive(Debug)]
pub(super) struct Signalled {
    clients: Barrier,
    is_sent: Mutex<bool>,
    changed: Condvar,
}

impl Signalled {
    /// A signal for which so many clients will wait.
    pub(super) fn new(clients: usize) -> Self {
        Self {
            clients: Barrier::new(clients + 1),
            is_sent: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Waits until all clients wait.
    pub(super) fn wait_for_clients(&self) {
        self.clients.wait();
    }

    /// Lets them go on.
    pub(super) fn is_sent_now(&self) {
        *self.is_sent.lock().expect("nobody panics with it") = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        self.clients.wait();
        let is_sent = self.is_sent.lock().expect("nobody panics with it");
        let waiting = |is_sent: &mut bool| !*is_sent;
        let waited = self.changed.wait_timeout_while(is_sent, DEADLINE, waiting);
        let (is_sent, _) = waited.expect("nobody panics with it");
        assert!(*is_sent, "the signal is never sent");
    }
}

/// What one client saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) requests: Vec<Request>,
    /// How often it could not connect.
    pub(super) refused: u64,
}

/// Makes the values that are sent: each only once.
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

/// Sends one request after the other on one connection until it ends, now and then
/// after a pause.
pub(super) fn keep(address: SocketAddr, mut values: Values, mut random: Random) -> Seen {
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
        // So that the signal finds some that work and some that wait, and the end of
        // idle connections some that send.
        let pause = match random.below(20) {
            0..10 => 0,
            10..19 => random.below(5000),
            _ => random.below(LONGEST_PAUSE_US),
        };
        sleep(Duration::from_micros(pause as u64));
    }
}

/// Makes a connection for each request, until nobody listens.
pub(super) fn come_anew(address: SocketAddr, mut values: Values) -> Seen {
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

/// Connects, and sends its first request a moment after the signal.
pub(super) fn wait_unused(
    address: SocketAddr,
    mut values: Values,
    signalled: &Signalled,
    moment: Duration,
) -> Seen {
    let mut seen = Seen::default();
    let mut connection = Connection::open(address);
    let connected = Instant::now();
    signalled.wait();
    sleep(moment);
    let (request, _) = exchange(&mut connection, connected, true, values.next());
    seen.requests.push(request);
    seen
}

/// Sends half of a request, and the rest a moment after the signal.
pub(super) fn halve(
    address: SocketAddr,
    mut values: Values,
    signalled: &Signalled,
    moment: Duration,
) -> Seen {
    let value = values.next();
    let whole = post("/value", value.as_str()).bytes();
    let (first, rest) = whole.split_at(whole.len() - value.len() / 2);
    let mut connection = Connection::open(address);
    let connected = Instant::now();
    connection.write(first);
    let begun = Some(Instant::now());
    signalled.wait();
    sleep(moment);
    let written = connection.try_write(rest).ok().map(|()| Instant::now());
    let request = Request {
        value,
        connected,
        is_first: true,
        begun,
        written,
        halved: true,
        end_was_seen: false,
        outcome: outcome(&mut connection).0,
        ended: Instant::now(),
    };
    Seen {
        requests: vec![request],
        refused: 0,
    }
}

/// Sends a request and waits for what comes. Returns also whether there can be no
/// other on this connection.
fn exchange(
    connection: &mut Connection,
    connected: Instant,
    is_first: bool,
    value: String,
) -> (Request, bool) {
    let bytes = post("/value", value.as_str()).bytes();
    let written = connection.try_write(&bytes).ok().map(|()| Instant::now());
    let end_was_seen = connection.has_ended();
    let (outcome, is_last) = outcome(connection);
    let request = Request {
        value,
        connected,
        is_first,
        begun: written,
        written,
        halved: false,
        end_was_seen,
        outcome,
        ended: Instant::now(),
    };
    (request, is_last)
}

/// Sends one request after the other on one connection of HTTP/2, until the server says
/// that it will end it, or does.
pub(super) fn keep_streams(address: SocketAddr, mut values: Values) -> Seen {
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
    // Those of a client are odd.
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
            halved: false,
            end_was_seen: false,
            outcome,
            ended: Instant::now(),
        });
        if is_last {
            break;
        }
    }
    seen
}

/// What comes back on a stream, and whether there can be no other after it.
fn stream_outcome(client: &mut Client, stream: u32) -> (Outcome, bool) {
    let mut is_last = false;
    loop {
        match client.event().expect("an answer, or the end") {
            Event::Response(found, response) if found == stream => {
                return (judge(&response), is_last);
            }
            Event::GoAway(_) => is_last = true,
            Event::Pong(_) => {}
            // It was not processed, and may be sent again (RFC 9113, section 8.7).
            Event::Reset(_, code) if code == "REFUSED_STREAM" => return (Outcome::Nothing, true),
            Event::Ended => return (Outcome::Nothing, true),
            other => return (Outcome::Other(format!("{other:?}")), true),
        }
    }
}

/// What comes back, and whether it is the last on this connection.
fn outcome(connection: &mut Connection) -> (Outcome, bool) {
    let Some(response) = connection.receive_if_any() else {
        return (Outcome::Nothing, true);
    };
    if !response.is_complete {
        return (Outcome::Part, true);
    }
    let is_last = response.header("connection") == Some("close");
    (judge(&response), is_last)
}

fn judge(response: &Response) -> Outcome {
    let digits = str::from_utf8(&response.body).ok();
    let sequence = digits.and_then(|digits| digits.parse().ok());
    match (response.status, sequence) {
        (200, Some(sequence)) => Outcome::Receipt(sequence),
        (503, _) => Outcome::Refused,
        _ => Outcome::Other(format!("{response:?}")),
    }
}
