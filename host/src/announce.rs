//! What the server prints on standard output, such as its addresses.

use std::io::{self, Write};
use std::sync::mpsc::{self, Sender};
use std::thread;

use audit_log::Location;
use host::cli::Serve;
use telemetry::access_log::Destination;
use telemetry::server_log;

/// Prints lines for the user or program that started the server: on standard output, unless
/// that is for audit records or access log lines alone.
///
/// Its own thread prints them, so that a pipe that is full holds up no server.
pub(crate) struct Announcer {
    lines: Option<Sender<String>>,
}

impl Announcer {
    /// Starts the thread, which ends when this is dropped.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread.
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
                // Serving does not depend on a reader of this.
                let _ = writeln!(io::stdout(), "{line}");
            }
        })?;
        Ok(Self { lines: Some(lines) })
    }

    /// Prints one line, soon.
    pub(crate) fn print(&self, line: &str) {
        match &self.lines {
            // It fails only if the thread has ended, and nothing can be printed then.
            Some(lines) => drop(lines.send(line.to_owned())),
            None => server_log::write(format!("{line}\n").into_bytes()),
        }
    }
}
