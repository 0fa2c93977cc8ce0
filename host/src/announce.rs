//! Announcements on standard output, such as the addresses of listeners.

use std::io::{self, Write};
use std::sync::mpsc::{self, Sender};
use std::thread;

use audit_log::Location;
use host::cli::Serve;
use telemetry::access_log::Destination;
use telemetry::server_log;

/// Prints lines for the user or program that started the server: on standard output, or to the log
/// if standard output carries audit records or access log lines.
///
/// Its own thread prints them, so that a full pipe does not block the server.
pub(crate) struct Announcer {
    lines: Option<Sender<String>>,
}

impl Announcer {
    /// Starts the thread, which ends when the announcer is dropped.
    ///
    /// # Errors
    ///
    /// Fails if no thread can be created.
    pub(crate) fn start(flags: &Serve) -> io::Result<Self> {
        let is_taken = flags.audit.audit == Some(Location::Stdout)
            || flags.logs.access_log == Some(Destination::Stdout);
        if is_taken {
            return Ok(Self { lines: None });
        }
        let (lines, printed) = mpsc::channel::<String>();
        let thread = thread::Builder::new().name("announce".to_owned());
        thread.spawn(move || {
            for line in printed {
                // Fails without a reader, which is not an error of the server.
                let _ = writeln!(io::stdout(), "{line}");
            }
        })?;
        Ok(Self { lines: Some(lines) })
    }

    /// Queues one line.
    pub(crate) fn print(&self, line: &str) {
        match &self.lines {
            // Fails only if the thread has ended.
            Some(lines) => drop(lines.send(line.to_owned())),
            None => server_log::write(format!("{line}\n").into_bytes()),
        }
    }
}
