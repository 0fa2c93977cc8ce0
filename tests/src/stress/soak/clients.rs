//! The clients, each of which repeats one kind of exchange.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::mix::Exchange;
use crate::client::Connection;
use crate::random::Random;

/// Number of errors that are kept as text.
const KEPT_ERRORS: usize = 5;

/// When a client sends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// As soon as it has its answer.
    Unlimited,
    /// This many times per second.
    PerSecond(f64),
    /// At this interval, from this time on.
    Every(Duration, Instant),
}

impl Pace {
    /// The pace of one client of several, which start evenly spread over the interval.
    pub(super) fn staggered(self, begin: Instant, index: u32, clients: u32) -> Self {
        match self {
            Self::PerSecond(times) => {
                let interval = Duration::from_secs_f64(1.0 / times);
                Self::Every(interval, begin + interval * index / clients)
            }
            other => other,
        }
    }

    /// Waits until the next request is due, and returns when that was.
    fn next(&mut self) -> Instant {
        match self {
            Self::Every(interval, due) => {
                let now = *due;
                *due += *interval;
                sleep(now.saturating_duration_since(Instant::now()));
                now
            }
            _ => Instant::now(),
        }
    }
}

/// Counts of what clients observed.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Requests with the expected answer.
    pub(super) answered: u64,
    /// Latency of those that were sent at a pace, from when they were due, in microseconds.
    pub(super) times_us: Vec<u32>,
    /// Answers with an entry in the audit log.
    pub(super) audited: u64,
    /// Requests whose client did not wait for an answer, so that their entry is optional.
    pub(super) abandoned: u64,
    /// Requests with another answer, or none.
    pub(super) errors: u64,
    pub(super) first_errors: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.times_us.extend(other.times_us);
        self.audited += other.audited;
        self.abandoned += other.abandoned;
        self.errors += other.errors;
        let room = KEPT_ERRORS.saturating_sub(self.first_errors.len());
        self.first_errors
            .extend(other.first_errors.into_iter().take(room));
    }

    pub(super) fn fail(&mut self, reason: String) {
        self.errors += 1;
        if self.first_errors.len() < KEPT_ERRORS {
            self.first_errors.push(reason);
        }
    }

    /// Rate of the requests that were sent at a pace.
    pub(super) fn paced_per_second(&self, duration: Duration) -> f64 {
        let count = u32::try_from(self.times_us.len()).unwrap_or(u32::MAX);
        f64::from(count) / duration.as_secs_f64()
    }

    /// Counts one request by its outcome.
    pub(super) fn count(&mut self, exchange: &Exchange, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => {
                self.answered += 1;
                self.audited += u64::from(exchange.is_audited());
            }
            Err(reason) => self.fail(reason),
        }
    }
}

/// Sends one request after the other at this pace. One in ten is the last on its connection.
pub(super) fn steady(
    address: SocketAddr,
    mut pace: Pace,
    end: Instant,
    mut random: Random,
) -> Tally {
    let mut tally = Tally::default();
    let mut connection = None;
    loop {
        let due = pace.next();
        if due >= end {
            return tally;
        }
        let mut exchange = Exchange::random(&mut random);
        if random.below(10) == 0 {
            exchange.request = exchange.request.header("connection", "close");
        }
        let outcome = exchange_on(address, &mut connection, &exchange);
        let took = u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX);
        tally.times_us.push(took);
        tally.count(&exchange, outcome);
    }
}

fn exchange_on(
    address: SocketAddr,
    connection: &mut Option<Connection>,
    exchange: &Exchange,
) -> Result<(), String> {
    let mut stream = match connection.take() {
        Some(stream) => stream,
        None => open(address)?,
    };
    // The server may not read a body that is too large to its end.
    let _ = stream.try_write(&exchange.request.bytes());
    let response = stream.receive_if_any().ok_or("no answer")?;
    exchange.check(&response)?;
    if response.header("connection") != Some("close") {
        *connection = Some(stream);
    }
    Ok(())
}

fn open(address: SocketAddr) -> Result<Connection, String> {
    Connection::try_open(address).map_err(|error| format!("cannot connect: {error}"))
}

/// Sends long requests in pieces with pauses between them.
pub(super) fn slow(address: SocketAddr, end: Instant, mut random: Random) -> Tally {
    let mut tally = Tally::default();
    while Instant::now() < end {
        let exchange = Exchange::long(&mut random);
        let outcome = open(address).and_then(|mut stream| {
            let bytes = exchange.request.bytes();
            for piece in bytes.chunks(bytes.len() / 4) {
                let _ = stream.try_write(piece);
                sleep(Duration::from_millis(20 + random.below(80) as u64));
            }
            let response = stream.receive_if_any().ok_or("no answer")?;
            exchange.check(&response)
        });
        tally.count(&exchange, outcome);
    }
    tally
}

/// Disconnects without an answer: at once, within a request, or after it.
pub(super) fn disconnect(address: SocketAddr, end: Instant, mut random: Random) -> Tally {
    let mut tally = Tally::default();
    while Instant::now() < end {
        match open(address) {
            Err(reason) => tally.fail(reason),
            Ok(mut stream) => {
                let bytes = Exchange::long(&mut random).request.bytes();
                let sent = match random.below(3) {
                    0 => 0,
                    1 => random.below(bytes.len()),
                    _ => bytes.len(),
                };
                let _ = stream.try_write(&bytes[..sent]);
                tally.abandoned += u64::from(sent == bytes.len());
            }
        }
        sleep(Duration::from_millis(random.below(50) as u64));
    }
    tally
}
