//! A running server.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::servers::Server;
use crate::servers::process::Process;

/// Timeout until a server listens: the first time it compiles.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Timeout until its functions are loaded: the first time it compiles them.
const LOADING_TIMEOUT: Duration = Duration::from_mins(30);

/// Interval of the progress while they are loaded.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

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
    /// From process start to the first accepted connection.
    pub(crate) listening_after: Duration,
    started: Instant,
}

impl Running {
    /// Starts a server on loopback and waits until it accepts connections, and until all of its
    /// functions are loaded.
    pub(crate) fn start(server: &Server) -> Result<Self> {
        Self::start_with_progress(server, || {})
    }

    /// Like [`start`](Self::start), and calls `progress` at intervals while functions are loaded.
    pub(crate) fn start_with_progress(server: &Server, progress: impl FnMut()) -> Result<Self> {
        let mut running = Self::listen(server)?;
        if let Some(log) = running.process.child().stderr.take() {
            wait_until_loaded(log, progress)?;
        }
        Ok(running)
    }

    fn listen(server: &Server) -> Result<Self> {
        let mut ended = None;
        for _ in 0..ATTEMPTS {
            let addr = free_address()?;
            let mut command = server.command(addr);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(if server.loads_functions {
                    Stdio::piped()
                } else {
                    Stdio::null()
                });
            let started = Instant::now();
            let mut process = Process::spawn(&mut command)?;
            ended = loop {
                if TcpStream::connect(addr).is_ok() {
                    let listening_after = started.elapsed();
                    return Ok(Self {
                        process,
                        addr,
                        listening_after,
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

/// Waits until the log reports that all functions are loaded. It is read to its end.
fn wait_until_loaded(log: impl Read + Send + 'static, mut progress: impl FnMut()) -> Result<()> {
    let (sender, loaded) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if line.contains(LOADED) {
                // It fails for a second report.
                let _ = sender.send(());
            }
        }
    });
    let begin = Instant::now();
    loop {
        match loaded.recv_timeout(PROGRESS_INTERVAL) {
            Ok(()) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => progress(),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("the server ended while it loaded functions")
            }
        }
        ensure!(
            begin.elapsed() < LOADING_TIMEOUT,
            "functions are not loaded in time"
        );
    }
}

/// An address on loopback with a free port.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}
