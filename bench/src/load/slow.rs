//! Many clients that send the start of a request and wait.

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

/// Interval between two connections: a thousand per second.
const PACE: Duration = Duration::from_millis(1);

/// What the clients observed.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    /// Number of connections made.
    opened: u64,
    /// Open connections, and their peak.
    open: u64,
    peak_open: u64,
    /// Number of connections by how the server ended them.
    ends: BTreeMap<String, u64>,
}

impl Slow {
    fn open(&mut self) {
        self.opened += 1;
        self.open += 1;
        self.peak_open = self.peak_open.max(self.open);
    }
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            opened,
            peak_open,
            ends,
            ..
        } = self;
        write!(f, "{opened} connections, {peak_open} at once; ")?;
        if ends.is_empty() {
            return f.write_str("none ended by the server");
        }
        write!(f, "ended by the server: {}", list(ends))
    }
}

/// Runs `count` clients that send a head and one byte of a body, and wait. A client connects again
/// after its connection ended. All disconnect at the end.
pub(crate) fn hold(addr: SocketAddr, job: &Job, count: usize, duration: Duration) -> Result<Slow> {
    let body = job.body();
    let mut start = http::request(addr, job.path(), &body);
    start.truncate(start.len() - body.len() + 1);
    let crowd = Rc::new(Crowd {
        addr,
        start,
        next: Cell::new(Instant::now()),
        slow: RefCell::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let clients = LocalSet::new();
    for _ in 0..count {
        clients.spawn_local(crowd.clone().reconnect());
    }
    // Clients never end by themselves.
    let _ = runtime.block_on(async { timeout(duration, clients).await });
    Ok(crowd.slow.take())
}

struct Crowd {
    addr: SocketAddr,
    start: Vec<u8>,
    /// When the next client may connect.
    next: Cell<Instant>,
    slow: RefCell<Slow>,
}

impl Crowd {
    async fn reconnect(self: Rc<Self>) {
        loop {
            let due = self.next.get().max(Instant::now());
            self.next.set(due + PACE);
            sleep_until(due).await;
            let how = self.hold().await;
            *self.slow.borrow_mut().ends.entry(how).or_default() += 1;
        }
    }

    /// Connects, starts a request, and waits. Returns how the connection ended.
    async fn hold(&self) -> String {
        let Ok(mut stream) = TcpStream::connect(self.addr).await else {
            return "not accepted".to_owned();
        };
        self.slow.borrow_mut().open();
        let mut answer = [0; 256];
        let read = match stream.write_all(&self.start).await {
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

/// The status in the start of an answer.
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
    fn a_client_reconnects_after_an_answer() {
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
            // Open until the client disconnects.
            let (second, _) = listener.accept().unwrap();
            (&second).read_to_end(&mut Vec::new()).unwrap();
        });
        let slow = hold(addr, &job, 1, Duration::from_secs(1)).unwrap();
        server.join().unwrap();
        let expected = "2 connections, 1 at once; ended by the server: 1 × 408";
        assert_eq!(slow.to_string(), expected);
    }
}
