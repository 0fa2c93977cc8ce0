//! A running server.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Server;
use crate::process::Process;

/// Timeout until a server listens: the first time it compiles.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Timeout until its functions are loaded.
const LOAD_TIMEOUT: Duration = Duration::from_mins(5);

/// The log line when they are loaded.
const LOADED: &str = "all functions are loaded";

/// Pause between two attempts to connect.
const RETRY_INTERVAL: Duration = Duration::from_micros(200);

/// Number of attempts to start: another program may bind the free port before the server does.
const ATTEMPTS: usize = 3;

/// A server, killed when dropped.
pub(crate) struct Running {
    process: Process,
    pub(crate) addr: SocketAddr,
    started: Instant,
}

impl Running {
    /// Starts a server on loopback and waits until it accepts connections, and until all of its
    /// functions are loaded.
    pub(crate) fn start(server: &Server) -> Result<Self> {
        let mut running = Self::listen(server)?;
        if let Some(log) = running.process.child().stderr.take() {
            wait_until_loaded(log).with_context(|| format!("`{}`", server.shown()))?;
        }
        Ok(running)
    }

    fn listen(server: &Server) -> Result<Self> {
        let mut ended = None;
        for _ in 0..ATTEMPTS {
            let addr = free_address()?;
            let mut command = server.command(addr);
            command.stdin(Stdio::null()).stdout(Stdio::null());
            let log = if server.loads_functions() {
                Stdio::piped()
            } else {
                Stdio::null()
            };
            command.stderr(log);
            let started = Instant::now();
            let mut process = Process::spawn(&mut command)?;
            ended = loop {
                if TcpStream::connect(addr).is_ok() {
                    return Ok(Self {
                        process,
                        addr,
                        started,
                    });
                }
                if let Some(status) = process.ended()? {
                    break Some(status);
                }
                if started.elapsed() > START_TIMEOUT {
                    bail!("`{}` does not listen after a minute", server.shown());
                }
                sleep(RETRY_INTERVAL);
            };
        }
        let status = ended.context("never started")?;
        bail!(
            "`{}` ended with {status} before it listened; run it by hand to see why",
            server.shown()
        )
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Time since the start of the process.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Waits until the log reports that all functions are loaded.
fn wait_until_loaded(log: impl Read + Send + 'static) -> Result<()> {
    let (loaded, is_loaded) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(log).lines().map_while(Result::ok);
        // An error means that the wait is over.
        let _ = loaded.send(lines.any(|line| line.contains(LOADED)));
        // It is read to its end: a full pipe would block the server.
        lines.for_each(drop);
    });
    let is_loaded = is_loaded
        .recv_timeout(LOAD_TIMEOUT)
        .with_context(|| format!("no line `{LOADED}` in the log: is the program an older one?"))?;
    ensure!(is_loaded, "the server ended while it loaded functions");
    Ok(())
}

/// An address on loopback with a free port.
pub(super) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}
