//! The server's own log, on standard error: its events, and the output of guests.
//!
//! - this file: [`start`] and [`write`], the queue and the thread that writes.
//! - `format.rs`: [`text_fields`] and [`Json`], what an event looks like.
//!
//! No thread that serves requests ever waits for the reader of standard error. Lines go to a
//! bounded queue, as those of the access log do; where the reader is too slow, lines are
//! dropped and counted, and the log says how many once the reader is back.

mod format;

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::batch_queue::{BatchQueue, BatchReceiver, Capacity};
pub use format::guest_line;
use format::server_line;
pub use format::{Json, has_color, text_fields};

/// What may wait to be written. Lines are collected for a moment, so that a guest that prints
/// a line for each request does not wake the writer for each.
const CAPACITY: Capacity = Capacity {
    items: 8 * 1024,
    bytes: 4 << 20,
    delay: Duration::from_millis(5),
};

/// The most writes that are made one.
const BATCH: usize = 64;

/// There is one standard error.
static QUEUE: OnceLock<BatchQueue<Vec<u8>>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Writes on a thread of its own from now on. Before, [`write()`] writes at once.
///
/// # Errors
///
/// Fails if the system gives no thread.
pub fn start() -> io::Result<()> {
    if QUEUE.get().is_none() {
        let queue = BatchQueue::start("log", CAPACITY, run_writer)?;
        // It fails if another thread was faster, and then that one's is used.
        let _ = QUEUE.set(queue);
    }
    Ok(())
}

/// Makes all lines objects of JSON from now on.
pub fn use_json() {
    IS_JSON.store(true, Ordering::Relaxed);
}

/// Whether lines are objects of JSON.
pub fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// Writes whole lines to standard error, soon, or drops them.
pub fn write(lines: Vec<u8>) {
    if lines.is_empty() {
        return;
    }
    let Some(queue) = QUEUE.get() else {
        // A reader that is gone does not want to know.
        let _ = io::stderr().write_all(&lines);
        return;
    };
    let (count, bytes) = (count_lines(&lines), lines.capacity());
    if !queue.send(lines, bytes) {
        DROPPED.fetch_add(count, Ordering::Relaxed);
    }
}

/// The number of lines that were dropped.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Writes what is left, for `deadline` at most. Later lines are lost.
pub fn close(deadline: Duration) {
    let Some(queue) = QUEUE.get() else { return };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    // Without a runtime there is nothing to wait with, and the program ends anyway.
    if let Ok(runtime) = runtime.enable_time().build() {
        let _ = runtime.block_on(queue.close(deadline));
    }
}

/// Writes lines, and returns how many of them are lost, in part or as a whole.
fn write_all(output: &mut impl Write, mut lines: &[u8]) -> u64 {
    while !lines.is_empty() {
        match output.write(lines) {
            Ok(written) if written > 0 => lines = &lines[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => break,
        }
    }
    count_lines(lines)
}

/// Number of lines in `lines`.
#[must_use]
pub fn count_lines(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// Writes lines until there will be no more.
fn run_writer(mut inbox: BatchReceiver<Vec<u8>>) {
    let mut reported = 0;
    let mut writes = Vec::with_capacity(BATCH);
    let mut text = Vec::new();
    while inbox.wait(&mut writes, BATCH) {
        for lines in writes.drain(..) {
            text.extend_from_slice(&lines);
        }
        let lost = write_all(&mut io::stderr(), &text);
        if lost > 0 {
            DROPPED.fetch_add(lost, Ordering::Relaxed);
        } else if reported < dropped() {
            reported = report(reported);
        }
        text.clear();
    }
}

/// Writes how many lines are missing, beyond those that were `reported`.
fn report(reported: u64) -> u64 {
    let now = dropped();
    let lines = now - reported;
    let line = server_line(&format!(
        "{lines} lines of this log were dropped, because standard error was not read fast enough"
    ));
    match io::stderr().write_all(&line) {
        Ok(()) => now,
        Err(_) => reported,
    }
}

/// Standard error as `tracing` writes to it: one write for each event.
#[derive(Debug, Clone, Copy)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        write(event.to_vec());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, and then fails.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let written = bytes.len().min(self.0);
            self.0 -= written;
            match written {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                written => Ok(written),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_lines_that_are_not_written_whole_count_as_dropped() {
        for (room, lost) in [(0, 3), (1, 3), (2, 2), (5, 1), (6, 0)] {
            assert_eq!(write_all(&mut Full(room), b"a\nb\nc\n"), lost, "{room}");
        }
    }
}
