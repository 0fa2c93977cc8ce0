//! Server log on standard error: events of the server, and the output of guests.
//!
//! - this file: [`start`] and [`write`], the queue and the writer thread.
//! - `format.rs`: [`text_fields`] and [`Json`], the formats of events.
//!
//! Threads that serve requests never wait for the reader of standard error. Lines go to a bounded
//! queue, as in the access log. While the reader is too slow, lines are dropped and counted, and
//! the writer logs their number once the reader has caught up.

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

/// The limits of the queue. With a delay, a guest that prints a line for each request does not
/// wake the writer for each.
const CAPACITY: Capacity = Capacity {
    items: 8 * 1024,
    bytes: 4 << 20,
    max_delay: Duration::from_millis(5),
};

/// Maximum number of writes that become one.
const BATCH: usize = 64;

/// The queue of the process, which has one standard error.
static QUEUE: OnceLock<BatchQueue<Vec<u8>>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Starts the writer thread. Before, [`write()`] writes synchronously.
///
/// # Errors
///
/// Fails if the thread cannot be spawned.
pub fn start() -> io::Result<()> {
    if QUEUE.get().is_none() {
        let queue = BatchQueue::start("log", CAPACITY, run_writer)?;
        // Fails if another thread set its queue first, which is then used.
        let _ = QUEUE.set(queue);
    }
    Ok(())
}

/// Switches the format of all lines to JSON objects.
pub fn use_json() {
    IS_JSON.store(true, Ordering::Relaxed);
}

/// Whether lines are JSON objects.
pub(crate) fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// Queues whole lines for standard error, or drops them if the queue is full.
pub fn write(lines: Vec<u8>) {
    if lines.is_empty() {
        return;
    }
    let Some(queue) = QUEUE.get() else {
        // An error means that standard error has no reader.
        let _ = io::stderr().write_all(&lines);
        return;
    };
    let (count, bytes) = (count_lines(&lines), lines.capacity());
    if !queue.try_send(lines, bytes) {
        DROPPED.fetch_add(count, Ordering::Relaxed);
    }
}

/// The number of dropped lines.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Writes the queued lines, for `deadline` at most. Later lines are lost.
pub fn close(deadline: Duration) {
    let Some(queue) = QUEUE.get() else { return };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    // Without a runtime it cannot wait, and the program ends anyway.
    if let Ok(runtime) = runtime.enable_time().build() {
        let _ = runtime.block_on(queue.close(deadline));
    }
}

/// Writes lines, and returns the number of those that are lost, in part or as a whole.
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
pub(crate) fn count_lines(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// Writes lines until the queue is closed and empty.
fn run_writer(mut queue: BatchReceiver<Vec<u8>>) {
    let mut reported = 0;
    let mut writes = Vec::with_capacity(BATCH);
    let mut text = Vec::new();
    while queue.recv_batch(&mut writes, BATCH) {
        for lines in writes.drain(..) {
            text.extend_from_slice(&lines);
        }
        let lost = write_all(&mut io::stderr(), &text);
        if lost > 0 {
            DROPPED.fetch_add(lost, Ordering::Relaxed);
        } else if reported < dropped() {
            reported = report_dropped(reported);
        }
        text.clear();
    }
}

/// Logs the number of lines that were dropped since `reported` of them.
fn report_dropped(reported: u64) -> u64 {
    let now = dropped();
    let lines = now - reported;
    let line = server_line(&format!(
        "{lines} lines of this log were dropped: standard error was not read fast enough"
    ));
    match io::stderr().write_all(&line) {
        Ok(()) => now,
        Err(_) => reported,
    }
}

/// Standard error as a writer of `tracing`: one write for each event.
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

    /// A writer that accepts this number of bytes, and then fails.
    struct LimitedWriter(usize);

    impl Write for LimitedWriter {
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
    fn a_partially_written_line_counts_as_dropped() {
        for (room, lost) in [(0, 3), (1, 3), (2, 2), (5, 1), (6, 0)] {
            assert_eq!(
                write_all(&mut LimitedWriter(room), b"a\nb\nc\n"),
                lost,
                "{room}"
            );
        }
    }
}
