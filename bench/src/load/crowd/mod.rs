//! Requests at any rate, whether the server keeps up or not.
//!
//! - this file: the schedule, and the outcomes.
//! - [`connections`]: the connections.
//!
//! All of it runs on one thread, and takes 20 to 30 µs of it per request.

mod connections;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::http::Answer;
use super::job::Job;
use connections::Connections;

/// Interval of the schedule.
const TICK: Duration = Duration::from_millis(1);

/// Timeout of requests in flight at the end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Maximum number of connections. Requests that are due beyond that are not sent.
const MAX_OPEN: usize = 8000;

/// A request, and its outcome. Times are counted from the start of the load.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// When it was sent, or its connection was requested.
    pub(crate) begun: Duration,
    pub(crate) ended: Duration,
    /// Delay of sending it after it was due.
    pub(crate) late: Duration,
    pub(crate) outcome: Outcome,
}

impl Request {
    pub(crate) fn latency(&self) -> Duration {
        self.ended.saturating_sub(self.begun)
    }
}

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Good,
    /// Refused with 503.
    Refused {
        has_retry_after: bool,
    },
    /// Another status, a wrong answer, or a broken connection.
    Failed(String),
}

/// The requests of one phase.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    /// The requests that ended, in this order.
    pub(crate) requests: Vec<Request>,
    /// Number of requests that did not end.
    pub(crate) unanswered: usize,
    /// Number of requests that were due and not sent, for lack of connections.
    pub(crate) unsent: usize,
    /// Peak number of connections.
    pub(crate) peak_open: usize,
}

/// Sends requests on this number of connections, each after the answer to the previous one.
pub(crate) fn closed(
    addr: SocketAddr,
    job: &Job,
    connections: usize,
    duration: Duration,
) -> Result<Phase> {
    let crowd = Crowd::new(addr, job, Instant::now());
    let tasks = LocalSet::new();
    let end = crowd.begin + duration;
    for _ in 0..connections {
        tasks.spawn_local(crowd.clone().one_after_the_other(end));
    }
    runtime()?.block_on(tasks);
    Ok(crowd.finish())
}

/// Sends `rate` requests per second for `duration`, without waiting for answers. Then continues
/// like [`closed`], on this number of new connections, for `then`, while the previous requests wait
/// for their answers. Returns both phases.
pub(crate) fn flood(
    addr: SocketAddr,
    job: &Job,
    rate: f64,
    duration: Duration,
    connections: usize,
    then: Duration,
) -> Result<(Phase, Phase)> {
    let begin = Instant::now();
    let (flood, after) = (Crowd::new(addr, job, begin), Crowd::new(addr, job, begin));
    let tasks = LocalSet::new();
    let end = begin + duration + then;
    let work = async {
        flood.clone().send_at(rate, begin + duration).await;
        let others: Vec<_> = (0..connections)
            .map(|_| tokio::task::spawn_local(after.clone().one_after_the_other(end)))
            .collect();
        for other in others {
            other.await.expect("no client panics");
        }
        let limit = Instant::now() + DRAIN_TIMEOUT;
        while flood.is_waiting() && Instant::now() < limit {
            sleep(TICK).await;
        }
    };
    runtime()?.block_on(tasks.run_until(work));
    drop(tasks);
    Ok((flood.finish(), after.finish()))
}

fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

struct Crowd {
    job: Job,
    begin: Instant,
    connections: Connections,
    sent: Cell<usize>,
    phase: RefCell<Phase>,
}

impl Crowd {
    fn new(addr: SocketAddr, job: &Job, begin: Instant) -> Rc<Self> {
        Rc::new(Self {
            job: job.clone(),
            begin,
            connections: Connections::new(addr, job),
            sent: Cell::new(0),
            phase: RefCell::default(),
        })
    }

    fn is_waiting(&self) -> bool {
        self.phase.borrow().requests.len() < self.sent.get()
    }

    fn finish(&self) -> Phase {
        let mut phase = self.phase.take();
        phase.unanswered = self.sent.get() - phase.requests.len();
        phase.peak_open = self.connections.peak_open();
        phase
    }

    async fn one_after_the_other(self: Rc<Self>, end: Instant) {
        // Requests in flight at the end are abandoned.
        let _ = timeout_at(end, async {
            loop {
                self.sent.set(self.sent.get() + 1);
                self.send(Instant::now()).await;
            }
        })
        .await;
    }

    async fn send_at(self: Rc<Self>, rate: f64, end: Instant) {
        let begin = Instant::now();
        let interval = Duration::from_secs_f64(1.0 / rate);
        let mut due = begin;
        while Instant::now() < end {
            while due <= Instant::now() && due < end {
                if self.connections.busy() < MAX_OPEN {
                    self.sent.set(self.sent.get() + 1);
                    let crowd = self.clone();
                    tokio::task::spawn_local(async move { crowd.send(due).await });
                } else {
                    self.phase.borrow_mut().unsent += 1;
                }
                due += interval;
            }
            sleep(TICK).await;
        }
    }

    async fn send(&self, due: Instant) {
        let begun = Instant::now();
        let outcome = match self.connections.exchange().await {
            Ok(answer) => self.judge(&answer),
            Err(error) => Outcome::Failed(format!("{:?}", error.kind())),
        };
        self.phase.borrow_mut().requests.push(Request {
            begun: begun - self.begin,
            ended: self.begin.elapsed(),
            late: begun - due,
            outcome,
        });
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        match answer.status {
            200 if self.job.judge(answer).is_ok() => Outcome::Good,
            503 => Outcome::Refused {
                has_retry_after: answer.header("retry-after").is_some(),
            },
            status => Outcome::Failed(status.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood";
    const REFUSAL: &[u8] =
        b"HTTP/1.1 503 No\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

    /// A server that gives these answers, each on its own connection that it closes.
    fn serve(answers: Vec<&'static [u8]>) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let _ = (&stream).read(&mut [0; 1024]).unwrap();
                (&stream).write_all(answer).unwrap();
            }
        });
        addr
    }

    #[test]
    fn a_closed_idle_connection_is_not_a_failure() {
        let addr = serve(vec![GOOD; 3]);
        let crowd = Crowd::new(addr, &Job::good(), Instant::now());
        runtime().unwrap().block_on(async {
            for _ in 0..3 {
                crowd.send(Instant::now()).await;
            }
        });
        let phase = crowd.finish_all(3);
        assert!(phase.iter().all(|outcome| *outcome == Outcome::Good));
    }

    #[test]
    fn refusals_and_failures_are_distinguished() {
        let addr = serve(vec![
            REFUSAL,
            b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n",
            b"",
        ]);
        let crowd = Crowd::new(addr, &Job::good(), Instant::now());
        runtime().unwrap().block_on(async {
            for _ in 0..3 {
                crowd.send(Instant::now()).await;
                crowd.connections.close_idle();
            }
        });
        let expected = [
            Outcome::Refused {
                has_retry_after: true,
            },
            Outcome::Failed("500".to_owned()),
            Outcome::Failed("UnexpectedEof".to_owned()),
        ];
        assert_eq!(crowd.finish_all(3), expected);
    }

    impl Crowd {
        fn finish_all(&self, sent: usize) -> Vec<Outcome> {
            self.sent.set(sent);
            let phase = self.finish();
            assert_eq!(phase.unanswered, 0);
            phase
                .requests
                .into_iter()
                .map(|request| request.outcome)
                .collect()
        }
    }
}
