//! A nats-server.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use audit_log_forward::Target;
use tempfile::TempDir;

/// A nats-server with its streams in a temporary folder.
pub(crate) struct Server {
    pub(crate) port: u16,
    folder: TempDir,
    /// Additional lines of its configuration.
    more: &'static str,
    child: Option<Child>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    pub(crate) fn with(more: &'static str) -> Self {
        let mut server = Self {
            port: 0,
            folder: tempfile::tempdir().expect("a folder"),
            more,
            child: None,
        };
        server.restart();
        server
    }

    /// The target `stream` of this server.
    pub(crate) fn target(&self, stream: &str) -> Target {
        let target = format!("nats://127.0.0.1:{}/{stream}", self.port);
        target.parse().expect("a target")
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a server");
            child.wait().expect("a server");
        }
    }

    /// Restarts a killed server at the same address.
    pub(crate) fn restart(&mut self) {
        for _ in 0..50 {
            if self.try_start() {
                return;
            }
            // Another process may use the port for a moment.
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("nats-server does not start at port {}", self.port);
    }

    fn try_start(&mut self) -> bool {
        let port = match self.port {
            0 => "-1".to_owned(),
            port => port.to_string(),
        };
        let config = self.folder.path().join("nats.conf");
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\n\
             jetstream {{ store_dir: \"{}\", sync_interval: always }}\n{}\n",
            self.folder.path().display(),
            self.more
        );
        std::fs::write(&config, text).expect("a disk");
        let mut child = Command::new(program())
            .arg("--config")
            .arg(config)
            .stderr(Stdio::piped())
            .spawn()
            .expect("nats-server");
        let log = child.stderr.take().expect("its log");
        self.child = Some(child);
        let mut lines = BufReader::new(log).lines();
        let is_ready = lines.by_ref().map_while(Result::ok).any(|line| {
            let address = "client connections on 127.0.0.1:";
            if let Some((_, port)) = line.split_once(address) {
                self.port = port.trim().parse().expect("a port");
            }
            line.contains("Server is ready")
        });
        if is_ready {
            // Keeps the pipe from filling.
            std::thread::spawn(move || lines.for_each(drop));
        } else {
            self.kill();
        }
        is_ready
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The path of nats-server, which `make nats` installs.
fn program() -> PathBuf {
    let peers = std::env::var_os("COMPONENT_RUNNER_PEERS").map_or_else(
        || {
            let cache = std::env::var_os("XDG_CACHE_HOME").filter(|cache| !cache.is_empty());
            let cache = cache.map(PathBuf::from);
            let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
            let cache = cache.unwrap_or_else(|| home().join(".cache"));
            cache.join("component-runner/peers")
        },
        PathBuf::from,
    );
    let versions = std::fs::read_dir(&peers).into_iter().flatten().flatten();
    let programs = versions
        .filter(|version| version.file_name().to_string_lossy().starts_with("nats-"))
        .map(|version| version.path().join("bin/nats-server"));
    programs
        .filter(|program| program.is_file())
        .max()
        .unwrap_or_else(|| {
            panic!(
                "missing nats-server in `{}`; install it with `make nats`",
                peers.display()
            )
        })
}
