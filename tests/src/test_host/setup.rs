//! The command line of a server, and its start.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Files, Starting, TestHost};
use crate::DEADLINE;
use crate::operators::Operators;
use crate::output::Output;
use crate::process::{Finished, Process};

/// The log line when each function is served or refused.
const LOADED: &str = "all functions are loaded";

/// The command line of a server.
#[derive(Debug)]
pub struct Setup {
    pub(super) command: Command,
    pub(super) addresses: Vec<String>,
    /// Number of addresses in the configuration file.
    pub(super) other_addresses: usize,
    pub(super) files: Files,
    /// Whether its standard error is read from the start.
    pub(super) is_log_read: bool,
    /// Whether [`start`](Self::start) waits until all functions are loaded.
    pub(super) loads_functions: bool,
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
