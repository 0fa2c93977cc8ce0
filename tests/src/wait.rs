//! Waits for what a server does by itself, such as writing a line, a record or a number.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

use crate::DEADLINE;

/// The time between two looks: the server needs the processor meanwhile.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks again and again until `look` finds `what`, and returns it. After [`DEADLINE`] it
/// panics and shows what was there instead, which is the error of `look`.
#[track_caller]
pub fn until<T, E: Display>(what: impl Display, mut look: impl FnMut() -> Result<T, E>) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if start.elapsed() > DEADLINE => {
                panic!("waited in vain for {what}; this was there:\n{seen}");
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// Reads a file of lines that a server may be writing to: waits until its last line is whole.
///
/// # Panics
///
/// Panics if the file cannot be read.
#[track_caller]
#[must_use]
pub fn whole_lines(path: &std::path::Path) -> String {
    until(format_args!("whole lines in `{}`", path.display()), || {
        let text = std::fs::read_to_string(path).expect("a file");
        if text.is_empty() || text.ends_with('\n') {
            Ok(text)
        } else {
            Err(text)
        }
    })
}
