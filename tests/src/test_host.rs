//! The server under test.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus};
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;

use crate::DEADLINE;
use crate::artifacts;
use crate::audit::{self, Record};
use crate::client::{Connection, Request, Response};
#[cfg(target_os = "linux")]
use crate::concurrent::alongside;
use crate::guests::Guest;
use crate::operators::Operators;
use crate::output::Output;
#[cfg(target_os = "linux")]
use crate::process::memory_bytes;
use crate::process::{Finished, Process, Signal};

/// The log line when each function is served or refused.
const LOADED: &str = "all functions are loaded";

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

/// The command line of a server.
#[derive(Debug)]
pub struct Setup {
    command: Command,
    addresses: Vec<String>,
    /// Number of addresses in the configuration file.
    other_addresses: usize,
    files: Files,
    /// Whether its standard error is read from the start.
    is_log_read: bool,
    /// Whether [`start`](Self::start) waits until all functions are loaded.
    loads_functions: bool,
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

impl Setup {
    /// Listens at this address instead of a free port.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.addresses = vec![address.into()];
        self
    }

    /// Listens at this address, too.
    #[must_use]
    pub fn and_address(mut self, address: impl Into<String>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// Leaves the addresses, of this number, to the configuration file.
    #[must_use]
    pub fn addresses_in_file(mut self, count: usize) -> Self {
        self.addresses.clear();
        self.other_addresses = count;
        self
    }

    /// Leaves its standard error unread until [`Output::resume`] is called on
    /// [`TestHost::log`].
    #[must_use]
    pub fn log_unread(mut self) -> Self {
        self.is_log_read = false;
        self
    }

    /// Runs the server in this folder.
    #[must_use]
    pub fn in_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Adds a flag without a value.
    #[must_use]
    pub fn switch(mut self, name: &str) -> Self {
        self.command.arg(name);
        self
    }

    /// Sets an environment variable of the component.
    #[must_use]
    pub fn env(self, name: &str, value: &str) -> Self {
        self.flag("--env", format!("{name}={value}"))
    }

    /// Sets an environment variable of the server itself.
    #[must_use]
    pub fn process_env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Keeps compiled code below this folder instead of the user's.
    #[must_use]
    pub fn cache(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.env("XDG_CACHE_HOME", folder.as_ref());
        self
    }

    /// Adds a flag with a value.
    #[must_use]
    pub fn flag(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.command.arg(name).arg(value.as_ref());
        self
    }

    /// Starts the server through the program `wrapper`, with these arguments before its command
    /// line. The wrapper must become the server, as with `exec`.
    #[must_use]
    pub fn within(self, wrapper: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(wrapper);
        command.args(arguments);
        command.arg(self.command.get_program());
        command.args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        Self { command, ..self }
    }

    /// Starts the server and waits until it listens, and each of its functions is served or
    /// refused.
    #[must_use]
    pub fn start(self) -> TestHost {
        self.start_within(DEADLINE)
    }

    /// Starts the server with a listener for operators on a free port.
    #[must_use]
    pub fn start_with_operators(self) -> (TestHost, Operators) {
        let host = self.flag("--ops-addr", "127.0.0.1:0").start();
        let operators = Operators::of(&host);
        (host, operators)
    }

    /// Starts the server and waits until it listens, but not for its functions.
    #[must_use]
    pub fn start_listening(mut self) -> TestHost {
        self.loads_functions = false;
        self.start()
    }

    /// Like [`start`](Self::start), with another deadline, for components that compile slowly.
    #[must_use]
    pub fn start_within(self, limit: Duration) -> TestHost {
        self.start_announced_on(limit, |process| &process.stdout)
    }

    /// Like [`start`](Self::start), where standard output is for records.
    #[must_use]
    pub fn start_announced_on_stderr(self) -> TestHost {
        self.start_announced_on(DEADLINE, |process| &process.stderr)
    }

    fn start_announced_on(self, limit: Duration, output: fn(&Process) -> &Output) -> TestHost {
        const START: &str = "listening on ";

        let listeners = self.addresses.len() + self.other_addresses;
        let loads_functions = self.loads_functions && self.is_log_read;
        let (process, files) = self.spawn();
        let lines = output(&process).wait_for_lines_or_end(START, listeners, limit);
        let lines = lines.filter(|_| {
            let log = &process.stderr;
            !loads_functions || log.wait_for_entry_or_end(&[LOADED], limit).is_some()
        });
        let Some(lines) = lines else {
            let log = process.stderr.wait_for_end();
            panic!("the server does not start:\n{log}");
        };
        let url = |line: &String| line.trim_start_matches(START).to_owned();
        TestHost {
            process,
            urls: lines.iter().map(url).collect(),
            files,
        }
    }

    /// Starts the server without waiting until it listens.
    #[must_use]
    pub fn start_without_waiting(self) -> Starting {
        let (process, files) = self.spawn();
        Starting {
            process,
            _files: files,
        }
    }

    /// Starts a server that is expected to end by itself, and waits until it does.
    #[must_use]
    pub fn fail(self) -> Finished {
        let (process, _files) = self.spawn();
        process.finish()
    }

    fn spawn(mut self) -> (Process, Files) {
        for address in self.addresses {
            self.command.arg("--addr").arg(address);
        }
        let process = if self.is_log_read {
            Process::start(&mut self.command)
        } else {
            Process::start_unread(&mut self.command)
        };
        (process, self.files)
    }
}

/// The command line that serves `app.wasm`, the cipher.
#[must_use]
pub fn app() -> Setup {
    TestHost::serve(artifacts::component("app"))
}
