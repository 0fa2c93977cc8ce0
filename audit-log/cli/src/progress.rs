//! The progress of `verify` on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use audit_log::verify::Progress;

/// The delay before the first output.
const INITIAL_DELAY: Duration = Duration::from_secs(1);

pub(crate) struct ProgressDisplay {
    is_terminal: bool,
    next: Instant,
    is_shown: bool,
}

impl ProgressDisplay {
    pub(crate) fn new() -> Self {
        Self {
            is_terminal: io::stderr().is_terminal(),
            next: Instant::now() + INITIAL_DELAY,
            is_shown: false,
        }
    }

    /// Shows the progress at intervals: on one line of a terminal, or as a line every few
    /// seconds.
    pub(crate) fn show(&mut self, progress: Progress) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        let interval = if self.is_terminal { 200 } else { 5000 };
        self.next = now + Duration::from_millis(interval);
        let (before, after) = if self.is_terminal {
            ("\r", "\x1b[K")
        } else {
            ("", "\n")
        };
        let percent = progress.position.min(progress.size) * 100 / progress.size.max(1);
        let mut stderr = io::stderr();
        let _ = write!(
            stderr,
            "{before}{percent} % read, {} records verified{after}",
            progress.records
        );
        let _ = stderr.flush();
        self.is_shown = true;
    }

    /// Clears the line of the terminal.
    pub(crate) fn clear(&self) {
        if self.is_terminal && self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
