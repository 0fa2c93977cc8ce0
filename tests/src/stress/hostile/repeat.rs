//! Hostile guests next to clients of a well-behaved one.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Answer, Behaviour, Wasi, classify};
use crate::client::{Connection, Request};
use crate::concurrent::{alongside, on_threads};

/// Repeated runs of hostile guests.
#[derive(Debug, Clone, Copy)]
pub struct Repeat {
    /// The server.
    pub address: SocketAddr,
    /// Runs of each behaviour.
    pub runs: usize,
    /// Maximum number of runs at the same time.
    pub at_once: usize,
    /// Minimum time from the start of one run to the next.
    pub pause: Duration,
}

/// A client that requests the well-behaved guest again and again, which must always answer.
#[derive(Debug, Default)]
pub struct GoodClient {
    /// Latency of each answer.
    pub times: Vec<Duration>,
    /// Why a request got no answer.
    pub losses: Vec<String>,
}

/// What the clients of hostile guests saw.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Answers that are not allowed, one for each behaviour.
    pub unexpected: Vec<String>,
    /// Connections that wait for the server to end them.
    open: Vec<Connection>,
}

impl Repeat {
    /// Runs all of `behaviours` in turn.
    #[must_use]
    pub fn run(&self, behaviours: &[Behaviour]) -> Outcome {
        let total = behaviours.len() * self.runs;
        let next = AtomicUsize::new(0);
        let start = Instant::now();
        let outcome = Mutex::new(Outcome::default());
        on_threads(self.at_once, |_| {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= total {
                    break;
                }
                let due = start + self.pause * u32::try_from(number).unwrap_or(u32::MAX);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                self.run_one(&behaviours[number % behaviours.len()], &outcome);
            }
        });
        outcome.into_inner().expect("no thread panics with it")
    }

    fn run_one(&self, behaviour: &Behaviour, outcome: &Mutex<Outcome>) {
        let seen = behaviour.run(self.address);
        let mut outcome = outcome.lock().expect("no thread panics with it");
        let Behaviour {
            wasi, name, client, ..
        } = behaviour;
        let text = match seen {
            Ok((answer, open)) if behaviour.answers.contains(&answer) => {
                outcome.open.extend(open);
                return;
            }
            Ok((answer, _)) => format!("{client:?}: {answer:?}"),
            Err(error) => format!("{client:?}: {error}"),
        };
        let path = format!("/{}/{name}: ", wasi.hostile());
        if !outcome
            .unexpected
            .iter()
            .any(|known| known.starts_with(&path))
        {
            outcome.unexpected.push(path + &text);
        }
    }

    /// Runs `work` while `clients` well-behaved clients send as fast as they can.
    pub fn next_to_good<T>(&self, clients: usize, work: impl FnOnce() -> T) -> (T, GoodClient) {
        let (result, clients) = alongside(
            clients,
            |stop| GoodClient::send_until(self.address, || stop.load(Ordering::Acquire)),
            work,
        );
        (result, GoodClient::sum(clients))
    }
}

impl GoodClient {
    /// Sends until `stop`, at least once, to the guests of both versions of WASI in turn.
    pub fn send_until(address: SocketAddr, mut stop: impl FnMut() -> bool) -> Self {
        let mut client = Self::default();
        let request = |wasi: Wasi| Request::new("GET", &format!("/{}/good", wasi.good()));
        let requests = Wasi::ALL.map(request);
        let mut connection = None;
        for request in requests.iter().cycle() {
            let start = Instant::now();
            match exchange(&mut connection, address, request) {
                Ok(()) => client.times.push(start.elapsed()),
                Err(reason) => {
                    let seconds = start.elapsed().as_secs_f64();
                    let path = request.target();
                    let loss = format!("{path}: {reason} after {seconds:.1} s");
                    client.losses.push(loss);
                    connection = None;
                }
            }
            if stop() {
                break;
            }
        }
        client
    }

    /// All clients as one.
    #[must_use]
    pub fn sum(clients: Vec<Self>) -> Self {
        let mut all = Self::default();
        for client in clients {
            all.times.extend(client.times);
            all.losses.extend(client.losses);
        }
        all
    }

    /// The 99th percentile of the latency.
    #[must_use]
    pub fn p99(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        let index = (times.len() * 99 / 100).min(times.len().saturating_sub(1));
        times.get(index).copied().unwrap_or_default()
    }

    /// The violation, if requests were lost while `others` ran.
    #[must_use]
    pub fn violation(&self, others: &str) -> Option<String> {
        let first = self.losses.first()?;
        let count = self.losses.len();
        Some(format!(
            "a well-behaved client lost {count} requests, {others}: {first}"
        ))
    }
}

fn exchange(
    connection: &mut Option<Connection>,
    address: SocketAddr,
    request: &Request,
) -> Result<(), String> {
    let fail = |error: std::io::Error| error.to_string();
    let current = match connection {
        Some(current) => current,
        None => connection.insert(Connection::try_open(address).map_err(fail)?),
    };
    current.try_write(&request.bytes()).map_err(fail)?;
    let response = current.try_receive_for("GET").map_err(fail)?;
    if response.header("connection") == Some("close") {
        // The connection has served its maximum number of requests.
        *connection = None;
    }
    match classify(&response).map_err(fail)? {
        Answer::Good => Ok(()),
        answer => Err(format!("{answer:?}")),
    }
}
