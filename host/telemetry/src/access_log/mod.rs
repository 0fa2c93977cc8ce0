//! The log of requests, a line for each.
//!
//! - this file: [`AccessLog`], which takes the lines.
//! - `line.rs`: what a line looks like.
//! - `output.rs`: where the lines go.

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

/// What may wait to be written: a tenth of a second of what a large server answers.
const CAPACITY: Capacity = Capacity {
    items: 16 * 1024,
    bytes: 8 << 20,
    delay: Duration::from_millis(100),
};

/// The most lines that are written at once.
const BATCH_LINES: usize = 1024;

/// Where the lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// This file, to its end.
    File(PathBuf),
}

/// A log of requests. Lines are written by a thread of its own, a tenth of a second after
/// they came or sooner. Where it cannot keep up, lines are dropped and counted.
#[derive(Debug)]
pub struct AccessLog {
    lines: BatchQueue<Vec<u8>>,
    is_reopening: Arc<AtomicBool>,
}

impl Destination {
    /// What `-` or a path stands for.
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
    /// Begins to write lines. A file that is there is appended to; a new one can be read
    /// by its group, and by nobody else.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be opened, or the system gives no thread.
    pub fn start(destination: &Destination) -> io::Result<Self> {
        let output = Output::open(destination)?;
        let is_reopening = Arc::new(AtomicBool::new(false));
        let asked = is_reopening.clone();
        let lines = BatchQueue::start("access-log", CAPACITY, move |inbox| {
            write(inbox, output, &asked);
        })?;
        Ok(Self {
            lines,
            is_reopening,
        })
    }

    /// Writes a line, soon.
    pub fn log(&self, line: &Line<'_>) {
        let line = line.to_bytes();
        let bytes = line.capacity();
        self.lines.send(line, bytes);
    }

    /// Opens the file again, which has another name by now. What cannot be opened is
    /// named in the server's own log, and the old file goes on.
    pub fn reopen(&self) {
        self.is_reopening.store(true, Ordering::Release);
        self.lines.wake();
    }

    /// How many lines were dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lines.dropped()
    }

    /// Writes what is left, for `deadline` at most. Later lines are lost.
    pub async fn close(&self, deadline: Duration) {
        if !self.lines.close(deadline).await {
            tracing::error!("the access log did not take its last lines in time");
        }
    }
}

/// Writes lines until there will be no more.
fn write(mut inbox: BatchReceiver<Vec<u8>>, mut output: Output, is_reopening: &AtomicBool) {
    let mut lines = Vec::with_capacity(BATCH_LINES);
    let mut text = Vec::new();
    while inbox.wait(&mut lines, BATCH_LINES) {
        for line in &lines {
            text.extend_from_slice(line);
        }
        inbox.drop_items(output.write(&text));
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
    fn lines_are_on_the_disk_when_the_log_is_closed() {
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
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/access.log");
        assert!(AccessLog::start(&Destination::from_path(&path)).is_err());
    }
}
