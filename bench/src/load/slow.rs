//! Clients that hold requests: many that send the start of one and wait, and others whose responses
//! never end.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::http::{Client, request};
use super::job::Job;
use super::paced::list;

/// Interval between two connections: a thousand per second.
const PACE: Duration = Duration::from_millis(1);

/// Pause of a client between two requests for an endless response.
const PAUSE: Duration = Duration::from_millis(10);

/// What the clients observed.
#[derive(Debug, Default)]
struct Slow {
    /// Number of connections made.
    opened: u64,
    /// Open connections, and their peak.
    open: u64,
    peak_open: u64,
    /// Number of connections by how the server ended them.
    ends: BTreeMap<String, u64>,
}

/// Runs `count` clients that send a head and one byte of a body, and wait. A client connects again
/// after its connection ended. All disconnect at the end. Returns in words what they observed.
pub(crate) fn hold(
    addr: SocketAddr,
    job: &Job,
    count: usize,
    duration: Duration,
) -> Result<String> {
    let mut start = job.request(addr);
    start.truncate(start.len() - job.body.len() + 1);
    let crowd = Rc::new(Crowd {
        addr,
        start,
        next: Cell::new(Instant::now()),
        slow: RefCell::default(),
    });
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let clients = LocalSet::new();
    for _ in 0..count {
        clients.spawn_local(crowd.clone().reconnect());
    }
    // Clients never end by themselves.
    let _ = runtime.block_on(async { timeout(duration, clients).await });
    let slow = crowd.slow.take();
    let (opened, peak, ends) = (slow.opened, slow.peak_open, describe_ends(&slow.ends));
    Ok(format!("{opened} connections, {peak} at once; {ends}"))
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
        {
            let mut slow = self.slow.borrow_mut();
            slow.opened += 1;
            slow.open += 1;
            slow.peak_open = slow.peak_open.max(slow.open);
        }
        let mut answer = [0; 256];
        let read = match stream.write_all(&self.start).await {
            Ok(()) => stream.read(&mut answer).await,
            Err(error) => Err(error),
        };
        self.slow.borrow_mut().open -= 1;
        match read {
            Ok(0) => "closed".to_owned(),
            Ok(count) => {
                let text = String::from_utf8_lossy(&answer[..count]);
                text.split_whitespace()
                    .nth(1)
                    .unwrap_or("no HTTP")
                    .to_owned()
            }
            Err(_) => "reset".to_owned(),
        }
    }
}

/// Requests for endless responses of `path` on `clients` connections for a while, again whenever the
/// server ends one. Returns in words how the server ended them.
pub(crate) fn endless(addr: SocketAddr, path: &str, clients: usize, duration: Duration) -> String {
    let end = Instant::now() + duration;
    let mut ends = BTreeMap::new();
    thread::scope(|scope| {
        let client = |_| scope.spawn(|| send_until(addr, path, end));
        let clients: Vec<_> = (0..clients).map(client).collect();
        for how in clients
            .into_iter()
            .flat_map(|client| client.join().expect("no panic"))
        {
            *ends.entry(how).or_default() += 1;
        }
    });
    format!("{clients} at once; {}", describe_ends(&ends))
}

/// Sends one request after the other. Returns how the server ended each.
fn send_until(addr: SocketAddr, path: &str, end: Instant) -> Vec<String> {
    let mut ends = Vec::new();
    while Instant::now() < end {
        let timeout = end.saturating_duration_since(Instant::now());
        let mut client = Client::new(addr).with_timeout(timeout);
        match client.send(&request(addr, path, None, &[])) {
            Ok(answer) => ends.push(answer.status.to_string()),
            Err(_) if Instant::now() >= end => break,
            Err(_) => ends.push("broken connection".to_owned()),
        }
        // The rate of refusals is not measured here.
        thread::sleep(PAUSE);
    }
    ends
}

fn describe_ends(ends: &BTreeMap<String, u64>) -> String {
    if ends.is_empty() {
        return "none ended by the server".to_owned();
    }
    format!("ended by the server: {}", list(ends))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};

    #[test]
    fn a_client_reconnects_after_an_answer() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let job = Job::encrypt("abc");
        let whole = job.request(addr).len();
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
        assert_eq!(slow, expected);
    }
}
