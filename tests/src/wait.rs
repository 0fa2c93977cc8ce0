//! Waits for what a server does on its own threads, such as writing a line, a record or a metric.

use std::fmt::Display;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::DEADLINE;

/// Polling interval, in which the server has the processor.
const INTERVAL: Duration = Duration::from_millis(5);

/// Polls `look` until it succeeds, and returns what it found.
///
/// # Errors
///
/// Fails after [`DEADLINE`] with the last error of `look`, which is the state that it saw.
pub fn try_until<T, E: Display>(
    what: impl Display,
    mut look: impl FnMut() -> Result<T, E>,
) -> Result<T, String> {
    let start = Instant::now();
    loop {
        match look() {
            Ok(found) => return Ok(found),
            Err(seen) if start.elapsed() > DEADLINE => {
                return Err(format!("timed out waiting for {what}; last state:\n{seen}"));
            }
            Err(_) => thread::sleep(INTERVAL),
        }
    }
}

/// Like [`try_until`], but panics where that fails.
#[track_caller]
pub fn until<T, E: Display>(what: impl Display, look: impl FnMut() -> Result<T, E>) -> T {
    match try_until(what, look) {
        Ok(found) => found,
        Err(reason) => panic!("{reason}"),
    }
}

/// Reads a file of lines that a server may be writing to, once its last line is complete.
///
/// # Panics
///
/// Panics if the file cannot be read.
#[track_caller]
#[must_use]
pub fn whole_lines(path: &Path) -> String {
    until(format_args!("whole lines in `{}`", path.display()), || {
        let text = std::fs::read_to_string(path).expect("a file");
        if text.is_empty() || text.ends_with('\n') {
            Ok(text)
        } else {
            Err(text)
        }
    })
}
