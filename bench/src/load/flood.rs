//! Requests at any rate, whether the server keeps up or not.
//!
//! All of it runs on one thread, and takes 20 to 30 µs of it per request.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

use super::http::{self, Answer};
use super::job::Job;
use crate::figures::stats::percentile;

/// Interval of the schedule.
const TICK: Duration = Duration::from_millis(1);

/// Timeout of requests in flight at the end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Maximum number of connections. Requests that are due beyond that are not sent.
const MAX_OPEN: usize = 8000;

/// A request, and its outcome.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// When its answer was complete, from the start of the load.
    pub(crate) ended: Duration,
    /// Time until then since it was sent, or its connection was requested.
    pub(crate) latency: Duration,
    /// Delay of sending it after it was due.
    pub(crate) late: Duration,
    pub(crate) outcome: String,
}

/// The outcomes of requests; others are a status, a wrong answer, or a broken connection.
const GOOD: &str = "good";
/// With 503.
const REFUSED: &str = "refused";
const WITHOUT_RETRY_AFTER: &str = "refused without Retry-After";

/// All requests.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    /// The requests that ended, in this order.
    pub(crate) requests: Vec<Request>,
    /// Number of requests that did not end.
    pub(crate) unanswered: usize,
    /// Number of requests that were due and not sent, for lack of connections.
    pub(crate) unsent: usize,
    /// Peak number of connections.
    pub(crate) peak_open: usize,
}

impl Flood {
    /// The requests with this prefix of their outcomes.
    fn with(&self, outcome: &'static str) -> impl Iterator<Item = &Request> {
        let requests = self.requests.iter();
        requests.filter(move |request| request.outcome.starts_with(outcome))
    }

    pub(crate) fn good(&self) -> impl Iterator<Item = &Request> {
        self.with(GOOD)
    }

    pub(crate) fn refused(&self) -> impl Iterator<Item = &Request> {
        self.with(REFUSED)
    }

    pub(crate) fn without_retry_after(&self) -> usize {
        self.with(WITHOUT_RETRY_AFTER).count()
    }

    /// Number of requests that were neither answered correctly nor refused.
    pub(crate) fn failures(&self) -> usize {
        let ended = self.requests.len() - self.good().count() - self.refused().count();
        ended + self.unanswered
    }
}

/// A percentile of the latency, in milliseconds.
pub(crate) fn latency_ms<'a>(
    requests: impl Iterator<Item = &'a Request>,
    percent: usize,
) -> Option<f64> {
    let latencies = requests.map(|request| request.latency.as_secs_f64() * 1e3);
    percentile(&mut latencies.collect::<Vec<_>>(), percent)
}

/// Sends `rate` requests per second for `duration`, without waiting for answers, and then waits for
/// the last answer.
pub(crate) fn send(addr: SocketAddr, job: &Job, rate: f64, duration: Duration) -> Result<Flood> {
    let sender = Sender::new(addr, job);
    let tasks = LocalSet::new();
    let work = async {
        sender.clone().send_at(rate, duration).await;
        let limit = Instant::now() + DRAIN_TIMEOUT;
        while sender.is_waiting() && Instant::now() < limit {
            sleep(TICK).await;
        }
    };
    runtime()?.block_on(tasks.run_until(work));
    Ok(sender.finish())
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// The connections to one server, one for each request in flight, and the outcomes.
struct Sender {
    addr: SocketAddr,
    job: Job,
    request: Vec<u8>,
    begin: Instant,
    sent: Cell<usize>,
    /// Idle connections.
    idle: RefCell<Vec<TcpStream>>,
    open: Cell<usize>,
    flood: RefCell<Flood>,
}

impl Sender {
    fn new(addr: SocketAddr, job: &Job) -> Rc<Self> {
        Rc::new(Self {
            addr,
            job: job.clone(),
            request: job.request(addr),
            begin: Instant::now(),
            sent: Cell::new(0),
            idle: RefCell::default(),
            open: Cell::new(0),
            flood: RefCell::default(),
        })
    }

    fn is_waiting(&self) -> bool {
        self.flood.borrow().requests.len() < self.sent.get()
    }

    fn finish(&self) -> Flood {
        let mut flood = self.flood.take();
        flood.unanswered = self.sent.get() - flood.requests.len();
        flood
    }

    async fn send_at(self: Rc<Self>, rate: f64, duration: Duration) {
        let interval = Duration::from_secs_f64(1.0 / rate);
        let mut due = self.begin;
        let end = due + duration;
        while Instant::now() < end {
            while due <= Instant::now() && due < end {
                if self.open.get() - self.idle.borrow().len() < MAX_OPEN {
                    let sender = self.clone();
                    spawn_local(async move { sender.send(due).await });
                    self.sent.set(self.sent.get() + 1);
                } else {
                    self.flood.borrow_mut().unsent += 1;
                }
                due += interval;
            }
            sleep(TICK).await;
        }
    }

    async fn send(&self, due: Instant) {
        let begun = Instant::now();
        let outcome = match self.exchange().await {
            Ok(answer) if self.job.judge(&answer).is_ok() => GOOD.to_owned(),
            Ok(answer) if answer.status != 503 => answer.status.to_string(),
            Ok(answer) if answer.header("retry-after").is_none() => WITHOUT_RETRY_AFTER.to_owned(),
            Ok(_) => REFUSED.to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        };
        self.flood.borrow_mut().requests.push(Request {
            ended: self.begin.elapsed(),
            latency: begun.elapsed(),
            late: begun - due,
            outcome,
        });
    }

    /// Sends a request on an idle connection, or on a new one. Where the server has closed an idle
    /// one, the request is sent again, as by other clients.
    async fn exchange(&self) -> io::Result<Answer> {
        loop {
            let idle = self.idle.borrow_mut().pop();
            let is_new = idle.is_none();
            if is_new {
                self.open.set(self.open.get() + 1);
                let mut flood = self.flood.borrow_mut();
                flood.peak_open = flood.peak_open.max(self.open.get());
            }
            let answer = self.exchange_on(idle).await;
            match answer {
                Ok((answer, stream)) if answer.header("connection") != Some("close") => {
                    self.idle.borrow_mut().push(stream);
                    return Ok(answer);
                }
                _ => self.open.set(self.open.get() - 1),
            }
            match answer {
                Ok((answer, _)) => return Ok(answer),
                Err(error) if is_new => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// Sends a request on this connection, or on a new one, and reads the answer.
    async fn exchange_on(&self, idle: Option<TcpStream>) -> io::Result<(Answer, TcpStream)> {
        let mut stream = match idle {
            Some(stream) => stream,
            None => TcpStream::connect(self.addr).await?,
        };
        stream.set_nodelay(true)?;
        stream.write_all(&self.request).await?;
        let mut received = Vec::with_capacity(1024);
        loop {
            let read = stream.read_buf(&mut received).await?;
            if let Some(answer) = http::parse(&received).map_err(io::Error::other)? {
                return Ok((answer, stream));
            }
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::http::tests::serve;

    const CLOSED: &str = "connection: close\r\ncontent-length: 0\r\n\r\n";

    /// The outcomes of requests, one after the other, to a server that gives these answers, each on
    /// its own connection that it closes.
    fn outcomes(answers: &[&str]) -> Vec<String> {
        let (addr, _) = serve(answers);
        let sender = Sender::new(addr, &Job::good());
        runtime().unwrap().block_on(async {
            for _ in answers {
                sender.send(Instant::now()).await;
            }
        });
        sender.sent.set(answers.len());
        let flood = sender.finish();
        assert_eq!(flood.unanswered, 0);
        let outcomes = flood.requests.into_iter().map(|request| request.outcome);
        outcomes.collect()
    }

    #[test]
    fn a_closed_idle_connection_is_not_a_failure() {
        let good = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood";
        assert_eq!(outcomes(&[good; 3]), ["good"; 3]);
    }

    #[test]
    fn refusals_and_failures_are_distinguished() {
        let refusal = format!("HTTP/1.1 503 No\r\nretry-after: 1\r\n{CLOSED}");
        let without = format!("HTTP/1.1 503 No\r\n{CLOSED}");
        let failure = format!("HTTP/1.1 500 Oh\r\n{CLOSED}");
        let expected = [
            "refused",
            "refused without Retry-After",
            "500",
            "UnexpectedEof",
        ];
        assert_eq!(outcomes(&[&refusal, &without, &failure, ""]), expected);
    }

    #[test]
    fn an_unanswered_request_is_a_failure() {
        let flood = Flood {
            unanswered: 2,
            ..Flood::default()
        };
        assert_eq!(flood.failures(), 2);
    }

    #[test]
    fn latency_counts_from_when_a_request_was_sent() {
        let request = |latency| Request {
            ended: Duration::from_secs(9),
            latency: Duration::from_millis(latency),
            late: Duration::from_secs(1),
            outcome: GOOD.to_owned(),
        };
        let requests = [request(2), request(50)];
        assert_eq!(latency_ms(requests.iter(), 100), Some(50.0));
        assert_eq!(latency_ms(requests.iter(), 50), Some(2.0));
    }
}
