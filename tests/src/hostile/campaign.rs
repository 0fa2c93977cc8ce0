//! Hostile guests beside a good client.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::server::GOOD;
use super::{Answer, Behaviour};
use crate::client::{Connection, Request};

/// Runs behaviours many times.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// Where the server is.
    pub address: SocketAddr,
    /// How often each behaviour is run.
    pub runs: usize,
    /// How many are run at once, at most.
    pub at_once: usize,
    /// How long after the one before each begins, at least.
    pub pause: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What clients saw that they should not have seen.
    pub surprises: Vec<String>,
    /// What a client has open that waits for the server to give up.
    open: Vec<Connection>,
}

/// A client that asks the good guest again and again, and must get it every time.
#[derive(Debug, Default)]
pub struct GoodClient {
    /// How long each answer took.
    pub times: Vec<Duration>,
    /// Why a request was lost.
    pub losses: Vec<String>,
}

impl Campaign {
    /// Runs all of `behaviours`, in turn, so often.
    #[must_use]
    pub fn run(&self, behaviours: &[Behaviour]) -> Outcome {
        let total = behaviours.len() * self.runs;
        let next = AtomicUsize::new(0);
        let begin = Instant::now();
        let outcome = Mutex::new(Outcome::default());
        thread::scope(|scope| {
            for _ in 0..self.at_once {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= total {
                            break;
                        }
                        let turn = begin + self.pause * u32::try_from(number).unwrap_or(u32::MAX);
                        thread::sleep(turn.saturating_duration_since(Instant::now()));
                        self.run_one(&behaviours[number % behaviours.len()], &outcome);
                    }
                });
            }
        });
        outcome.into_inner().expect("nobody panics with it")
    }

    fn run_one(&self, behaviour: &Behaviour, outcome: &Mutex<Outcome>) {
        let seen = behaviour.run(self.address);
        let mut outcome = outcome.lock().expect("nobody panics with it");
        let Behaviour { name, client, .. } = behaviour;
        match seen {
            Ok((answer, open)) if behaviour.answers.contains(&answer) => outcome.open.extend(open),
            Ok((answer, _)) => outcome.surprise(name, &format!("{client:?}: {answer:?}")),
            Err(error) => outcome.surprise(name, &format!("{client:?}: {error}")),
        }
    }

    /// Does `work` while `clients` good clients ask as fast as they can.
    pub fn beside_good<T>(&self, clients: usize, work: impl FnOnce() -> T) -> (T, GoodClient) {
        let has_ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let ask = || GoodClient::ask_until(self.address, || has_ended.load(Ordering::Relaxed));
            let clients: Vec<_> = (0..clients).map(|_| scope.spawn(ask)).collect();
            let result = work();
            has_ended.store(true, Ordering::Relaxed);
            let mut all = GoodClient::default();
            for client in clients {
                let client = client.join().expect("a good client does not panic");
                all.times.extend(client.times);
                all.losses.extend(client.losses);
            }
            (result, all)
        })
    }
}

impl Outcome {
    /// Notes what a client saw, once for each behaviour.
    fn surprise(&mut self, name: &str, seen: &str) {
        let place = format!("/{name}: ");
        if self
            .surprises
            .iter()
            .all(|known| !known.starts_with(&place))
        {
            self.surprises.push(place + seen);
        }
    }
}

impl GoodClient {
    /// Asks until `has_ended`, at least once.
    pub fn ask_until(address: SocketAddr, mut has_ended: impl FnMut() -> bool) -> Self {
        let mut client = Self::default();
        let request = Request::new("GET", GOOD);
        let mut connection = None;
        loop {
            let start = Instant::now();
            match ask(&mut connection, address, &request) {
                Ok(()) => client.times.push(start.elapsed()),
                Err(why) => {
                    client.losses.push(why);
                    connection = None;
                }
            }
            if has_ended() {
                return client;
            }
        }
    }

    /// The time within which 99 of 100 requests were answered.
    #[must_use]
    pub fn p99(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        let place = (times.len() * 99 / 100).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or_default()
    }
}

fn ask(
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
        // As often as a connection may be used.
        *connection = None;
    }
    match super::seen(&response).map_err(fail)? {
        Answer::Good => Ok(()),
        answer => Err(format!("{answer:?}")),
    }
}
