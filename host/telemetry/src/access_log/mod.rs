//! Access log: a line for each request.
//!
//! - this file: [`AccessLog`], which queues the lines.
//! - `line.rs`: the format of a line.
//! - `output.rs`: the file or standard output.

mod line;
mod output;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::batch_queue::{BatchQueue, BatchReceiver, Capacity};
pub use line::{Line, RequestLine};
use output::Output;

/// The limits of the queue: a tenth of a second of the responses of a large server.
const CAPACITY: Capacity = Capacity {
    items: 16 * 1024,
    bytes: 8 << 20,
    max_delay: Duration::from_millis(100),
};

/// Maximum number of lines in one write.
const BATCH_LINES: usize = 1024;

/// The destination of the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// This file, in append mode.
    File(PathBuf),
}

/// The access log. A dedicated thread writes each line a tenth of a second later or sooner. If it
/// cannot keep up, lines are dropped and counted.
#[derive(Debug)]
pub struct AccessLog {
    lines: BatchQueue<Vec<u8>>,
    is_reopening: Arc<AtomicBool>,
}

impl Destination {
    /// The destination for `-` (standard output) or a path.
    #[must_use]
    pub fn from_path(path: &Path) -> Self {
        if path == Path::new("-") {
            Self::Stdout
        } else {
            Self::File(path.to_owned())
        }
    }
}

impl AccessLog {
    /// Opens the destination and starts the writer thread. An existing file is appended to; a new
    /// one has mode 0640, so other users than the owner and its group cannot read it.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be opened, or the thread cannot be spawned.
    pub fn start(destination: &Destination) -> io::Result<Self> {
        let output = Output::open(destination)?;
        let is_reopening = Arc::new(AtomicBool::new(false));
        let reopening = is_reopening.clone();
        let lines = BatchQueue::start("access-log", CAPACITY, move |queue| {
            run_writer(queue, output, &reopening);
        })?;
        Ok(Self {
            lines,
            is_reopening,
        })
    }

    /// Queues a line, or drops it if the queue is full.
    pub fn log(&self, line: &Line<'_>) {
        let line = line.to_bytes();
        let bytes = line.capacity();
        self.lines.try_send(line, bytes);
    }

    /// Reopens the file by its path, after it was renamed. If that fails, the writer logs the error
    /// in the server log and keeps the old file.
    pub fn reopen(&self) {
        self.is_reopening.store(true, Ordering::Release);
        self.lines.wake();
    }

    /// The number of dropped lines.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lines.dropped()
    }

    /// Writes the queued lines, for `deadline` at most. Later lines are lost.
    pub async fn close(&self, deadline: Duration) {
        if !self.lines.close(deadline).await {
            tracing::error!("closing the access log timed out, its last lines are lost");
        }
    }
}

/// Writes lines until the queue is closed and empty.
fn run_writer(mut queue: BatchReceiver<Vec<u8>>, mut output: Output, is_reopening: &AtomicBool) {
    let mut lines = Vec::with_capacity(BATCH_LINES);
    let mut text = Vec::new();
    while queue.recv_batch(&mut lines, BATCH_LINES) {
        for line in &lines {
            text.extend_from_slice(line);
        }
        queue.record_dropped(output.write(&text));
        lines.clear();
        text.clear();
        if is_reopening.swap(false, Ordering::Acquire) {
            output.reopen();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::UNIX_EPOCH;

    use tokio::runtime::Builder;

    use super::*;

    fn line(status: u16) -> Line<'static> {
        Line {
            peer: None,
            user: None,
            time: UNIX_EPOCH,
            request: None,
            status,
            bytes: 0,
            referer: None,
            user_agent: None,
            request_id: "-",
            duration: Duration::ZERO,
            function: None,
        }
    }

    #[test]
    fn close_writes_all_queued_lines_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        fs::write(&path, "before\n").unwrap();
        let log = AccessLog::start(&Destination::from_path(&path)).unwrap();
        for status in 200..300 {
            log.log(&line(status));
        }
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(log.close(Duration::from_secs(30)));
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 101, "{text}");
        assert!(text.starts_with("before\n"), "{text}");
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            r#"- - - [01/Jan/1970:00:00:00 +0000] "-" 299 0 "-" "-" - 0"#
        );
        assert_eq!(log.dropped(), 0);
    }

    #[test]
    fn start_fails_if_the_folder_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/access.log");
        assert!(AccessLog::start(&Destination::from_path(&path)).is_err());
    }
}
