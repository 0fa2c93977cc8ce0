//! Clients that send the beginning of a request and then wait, many at a time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::http;
use super::job::Job;
use super::paced::list;

/// How long after one the next client connects: a thousand a second.
const PACE: Duration = Duration::from_millis(1);

/// What the clients saw.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    /// How many connections they made.
    opened: u64,
    /// How many of them there were at once.
    open: u64,
    most_open: u64,
    /// How the server ended connections, and how many of them.
    ends: BTreeMap<String, u64>,
}

impl Slow {
    fn open(&mut self) {
        self.opened += 1;
        self.open += 1;
        self.most_open = self.most_open.max(self.open);
    }
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            opened,
            most_open,
            ends,
            ..
        } = self;
        write!(f, "{opened} connections, {most_open} at once; ")?;
        if ends.is_empty() {
            return f.write_str("all kept");
        }
        write!(f, "ended by the server: {}", list(ends))
    }
}

/// Lets `count` clients send a head and one byte of a body, and wait. Whoever is
/// answered or hung up on comes again. All leave at the end.
pub(crate) fn hold(addr: SocketAddr, job: &Job, count: usize, duration: Duration) -> Result<Slow> {
    let body = job.body();
    let mut beginning = http::request(addr, job.path(), &body);
    beginning.truncate(beginning.len() - body.len() + 1);
    let crowd = Rc::new(Crowd {
        addr,
        beginning,
        next: Cell::new(Instant::now()),
        slow: RefCell::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let clients = LocalSet::new();
    for _ in 0..count {
        clients.spawn_local(crowd.clone().come_again_and_again());
    }
    // They never end by themselves.
    let _ = runtime.block_on(async { timeout(duration, clients).await });
    Ok(crowd.slow.take())
}

struct Crowd {
    addr: SocketAddr,
    beginning: Vec<u8>,
    /// When the next one may connect.
    next: Cell<Instant>,
    slow: RefCell<Slow>,
}

impl Crowd {
    async fn come_again_and_again(self: Rc<Self>) {
        loop {
            let turn = self.next.get().max(Instant::now());
            self.next.set(turn + PACE);
            sleep_until(turn).await;
            let how = self.come().await;
            *self.slow.borrow_mut().ends.entry(how).or_default() += 1;
        }
    }

    /// Connects, begins a request, and waits. Returns how that ended.
    async fn come(&self) -> String {
        let Ok(mut stream) = TcpStream::connect(self.addr).await else {
            return "not accepted".to_owned();
        };
        self.slow.borrow_mut().open();
        let mut answer = [0; 256];
        let read = match stream.write_all(&self.beginning).await {
            Ok(()) => stream.read(&mut answer).await,
            Err(error) => Err(error),
        };
        self.slow.borrow_mut().open -= 1;
        match read {
            Ok(0) => "closed".to_owned(),
            Ok(count) => status(&answer[..count]),
            Err(_) => "reset".to_owned(),
        }
    }
}

/// The status of an answer of which the beginning is there.
fn status(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let status = text.split_whitespace().nth(1);
    status.unwrap_or("no HTTP").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    #[test]
    fn a_client_that_was_answered_comes_again() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let job = Job::Encrypt("abc".to_owned());
        let whole = http::request(addr, job.path(), &job.body()).len();
        let server = thread::spawn(move || {
            let (first, _) = listener.accept().unwrap();
            let mut read = [0; 1024];
            let count = (&first).read(&mut read).unwrap();
            assert!(read[..count].ends_with(b"\r\n\r\n{"), "{count} of {whole}");
            (&first)
                .write_all(b"HTTP/1.1 408 Too Slow\r\n\r\n")
                .unwrap();
            // It lives until the other end has gone.
            let (second, _) = listener.accept().unwrap();
            (&second).read_to_end(&mut Vec::new()).unwrap();
        });
        let slow = hold(addr, &job, 1, Duration::from_secs(1)).unwrap();
        server.join().unwrap();
        let expected = "2 connections, 1 at once; ended by the server: 1 × 408";
        assert_eq!(slow.to_string(), expected);
    }
}
