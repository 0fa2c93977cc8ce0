//! The server under test.
//!
//! - this file: [`TestHost`], which listens, and [`Starting`], which may not yet.
//! - `setup.rs`: [`Setup`], the command line, and its start.

mod setup;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus};
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(target_os = "linux")]
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;

pub use setup::Setup;

use crate::DEADLINE;
use crate::artifacts;
use crate::audit::{self, Record};
use crate::client::{Connection, Request, Response};
#[cfg(target_os = "linux")]
use crate::concurrent::alongside;
use crate::guests::Guest;
use crate::output::Output;
#[cfg(target_os = "linux")]
use crate::process::memory_bytes;
use crate::process::{Process, Signal};

/// A `component-runner serve` on a free port, stopped when dropped.
///
/// ```no_run
/// use end_to_end::{TestHost, artifacts, client};
///
/// let host = TestHost::serve(artifacts::component("app"))
///     .env("SHIFT_AMOUNT", "5")
///     .start();
/// let response = host.send(&client::encrypt("hello"));
/// assert_eq!(response.status, 200);
/// ```
#[derive(Debug)]
pub struct TestHost {
    process: Process,
    /// The URLs that it prints.
    urls: Vec<String>,
    files: Files,
}

/// Files of a server, removed after its end.
#[derive(Debug)]
struct Files {
    /// Folder of the default audit log.
    data: TempDir,
    guest: Option<Guest>,
}

/// A server that may not listen yet.
#[derive(Debug)]
pub struct Starting {
    process: Process,
    _files: Files,
}

impl Starting {
    /// Its standard output.
    #[must_use]
    pub fn output(&self) -> &Output {
        &self.process.stdout
    }

    /// Its standard error.
    #[must_use]
    pub fn log(&self) -> &Output {
        &self.process.stderr
    }

    /// Its process id.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until it listens, and returns the first address; none if it ends before.
    #[must_use]
    pub fn wait_until_listening(&self) -> Option<SocketAddr> {
        const START: &str = "listening on http://";

        let output = self.output();
        let line = output.wait_for_entry_or_end(&[START], DEADLINE)?;
        let address = line.trim_start_matches(START).parse();
        Some(address.expect("an address"))
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait()
    }
}

impl TestHost {
    /// The command line that serves `component`.
    pub fn serve(component: impl AsRef<Path>) -> Setup {
        let mut setup = Self::serve_with_file();
        setup.command.arg(component.as_ref());
        setup
    }

    /// The command line that serves `guests/NAME.wat`.
    #[must_use]
    pub fn serve_guest(name: &str) -> Setup {
        let guest = Guest::assemble(name);
        let mut setup = Self::serve(guest.path());
        setup.files.guest = Some(guest);
        setup
    }

    /// The command line that serves the functions of this folder or file.
    pub fn serve_functions(path: impl AsRef<Path>) -> Setup {
        let mut setup = Self::serve_with_file().flag("--functions", path);
        setup.loads_functions = true;
        setup
    }

    /// The command line without a component, which a file of `--config` names.
    #[must_use]
    pub fn serve_with_file() -> Setup {
        let data = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(artifacts::program("component-runner"));
        command
            .arg("serve")
            .env("XDG_DATA_HOME", data.path())
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE");
        Setup {
            command,
            addresses: vec!["127.0.0.1:0".to_owned()],
            other_addresses: 0,
            files: Files { data, guest: None },
            is_log_read: true,
            loads_functions: false,
        }
    }

    /// Sends one request on a connection of its own.
    #[must_use]
    pub fn send(&self, request: &Request) -> Response {
        self.connect().exchange(request)
    }

    /// Opens a connection.
    #[must_use]
    pub fn connect(&self) -> Connection {
        Connection::open(self.address())
    }

    /// The first address at which it listens, which must be one of TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let url = &self.urls[0];
        let address = url
            .split_once("://")
            .and_then(|(_, rest)| rest.parse().ok());
        address.unwrap_or_else(|| panic!("no address in `{url}`"))
    }

    /// All URLs at which it listens: `http://…`, `https://…` or `unix:…`.
    #[must_use]
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Its standard output.
    #[must_use]
    pub fn output(&self) -> &Output {
        &self.process.stdout
    }

    /// Its standard error.
    #[must_use]
    pub fn log(&self) -> &Output {
        &self.process.stderr
    }

    /// All records of the audit log at its default location.
    #[must_use]
    pub fn audit_records(&self) -> Vec<Record> {
        let folder = self.files.data.path().join("component-runner");
        audit::records(&audit::Kind::Sqlite.location(&folder))
    }

    /// The entries of its guests in the audit log.
    #[must_use]
    pub fn audit_entries(&self) -> Vec<Record> {
        let mut records = self.audit_records();
        records.retain(|record| record.json.get("guest").is_some());
        records
    }

    /// Its process id.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// A figure of its memory such as `VmRSS` in bytes; see [`memory_bytes`].
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn memory_bytes(&self, figure: &str) -> u64 {
        memory_bytes(self.process_id(), figure).expect("a running process")
    }

    /// Anonymous memory of its process, in bytes.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn anonymous_bytes(&self) -> u64 {
        self.memory_bytes("RssAnon")
    }

    /// Runs `work`. Kills the server and panics as soon as it has more than `limit` bytes of
    /// anonymous memory, before it takes all memory of the machine.
    #[cfg(target_os = "linux")]
    pub fn holds_at_most<T>(&self, limit: u64, work: impl FnOnce() -> T) -> T {
        let watch = |stop: &AtomicBool| {
            let mut peak = 0;
            while !stop.load(Ordering::Acquire) {
                peak = peak.max(self.anonymous_bytes());
                if peak > limit {
                    self.signal(Signal::KILL);
                    break;
                }
            }
            peak
        };
        let (result, peaks) = alongside(1, watch, work);
        let peak = peaks[0];
        assert!(peak <= limit, "{peak} bytes, the limit is {limit}");
        result
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Fails all its writes to files, as if all disks were full, or allows them again. It must
    /// have served a request before: the image of a memory is a file as well.
    #[cfg(target_os = "linux")]
    pub fn allow_writes(&self, allowed: bool) {
        self.limit_files((!allowed).then_some(0));
    }

    /// Limits the size of its files, or removes the limit.
    #[cfg(target_os = "linux")]
    pub fn limit_files(&self, bytes: Option<u64>) {
        let process = Pid::from_raw(self.process_id().cast_signed());
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(process, Resource::Fsize, limit).expect("its limits can be changed");
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait()
    }

    /// Sends SIGTERM, and waits until it ends.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }
}

/// The command line that serves `app.wasm`, the cipher.
#[must_use]
pub fn app() -> Setup {
    TestHost::serve(artifacts::component("app"))
}
