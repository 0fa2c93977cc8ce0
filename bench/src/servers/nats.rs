//! A nats-server, to which audit logs are forwarded.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::process::Process;
use super::programs::{existing, peers, scratch};

/// The version that is forwarded to.
const NATS_VERSION: &str = "2.14.6";

/// Timeout until it listens.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A server with its streams on a file system in memory, which survives a kill, and in the class
/// `SCHED_IDLE`, to compete for the processors as little as on another machine.
pub(crate) struct Nats {
    program: PathBuf,
    folder: PathBuf,
    addr: SocketAddr,
    process: Option<Process>,
}

impl Nats {
    /// Starts a server with an empty store.
    pub(crate) fn start() -> Result<Self> {
        let program = peers()?.join(format!("nats-{NATS_VERSION}/bin/nats-server"));
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            memory.join(format!("component-runner-bench-{}", std::process::id()))
        } else {
            scratch().join("nats")
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
        let mut nats = Self {
            program: existing(program, "make nats")?,
            folder,
            addr: listener.local_addr()?,
            process: None,
        };
        drop(listener);
        nats.restart()?;
        Ok(nats)
    }

    /// Where an audit log is forwarded to.
    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.addr)
    }

    /// Kills the server, if it runs, and restarts it at the same address.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.process = None;
        fs::create_dir_all(&self.folder)?;
        let config = self.folder.join("nats.conf");
        let text = format!(
            "listen: \"{}\"\njetstream {{ store_dir: \"{}\", sync_interval: always }}\n",
            self.addr,
            self.folder.display()
        );
        fs::write(&config, text)?;
        // On another machine it would not compete with the measured server.
        let mut command = Command::new("chrt");
        command
            .args(["--idle", "0"])
            .arg(&self.program)
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.process = Some(Process::spawn(&mut command)?);
        let begin = Instant::now();
        while TcpStream::connect(self.addr).is_err() {
            ensure!(
                begin.elapsed() < START_TIMEOUT,
                "nats-server does not listen"
            );
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.process = None;
        // Files that remain are harmless.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
