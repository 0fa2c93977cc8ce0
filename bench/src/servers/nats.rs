//! A nats-server, to which audit logs are forwarded.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::folder::Folder;
use super::running::free_address;
use crate::process::Process;
use crate::programs::{existing, peers};

/// The version that is forwarded to.
const NATS_VERSION: &str = "2.14.6";

/// Timeout until it listens.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A server with its streams on a file system in memory, which survives a kill, and in the class
/// `SCHED_IDLE`, to compete for the processors as little as on another machine.
pub(crate) struct Nats {
    program: PathBuf,
    folder: Folder,
    addr: SocketAddr,
    process: Option<Process>,
}

impl Nats {
    /// Starts a server with an empty store.
    pub(crate) fn start() -> Result<Self> {
        let program = peers()?.join(format!("nats-{NATS_VERSION}/bin/nats-server"));
        let mut nats = Self {
            program: existing(program, "make nats")?,
            folder: Folder::in_memory("nats")?,
            addr: free_address()?,
            process: None,
        };
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
        let text = format!(
            "listen: \"{}\"\njetstream {{ store_dir: \"{}\", sync_interval: always }}\n",
            self.addr,
            self.folder.path().display()
        );
        let config = self.folder.put("nats.conf", text)?;
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
            let is_late = begin.elapsed() > START_TIMEOUT;
            ensure!(!is_late, "nats-server does not listen");
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}
