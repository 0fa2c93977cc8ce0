//! The pending records of a log.

use std::sync::Arc;
use std::time::Duration;

use audit_log::read::{ReadError, Reader, Start};
use audit_log::{AuditLog, Location};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cursor::Cursor;
use crate::status::Status;

/// The delay after a new record, so that one wake-up serves many.
const GATHER_DELAY: Duration = Duration::from_millis(20);

/// The number of pending records that ends the delay.
const GATHER_RECORDS: u64 = 256;

/// A durable record to forward.
#[derive(Debug, Clone)]
pub(crate) struct OutboxRecord {
    pub(crate) sequence: u64,
    /// The canonical bytes.
    pub(crate) bytes: Bytes,
}

/// The records of a log in order, and the position of the settled ones: those that have arrived, or
/// that will not be sent because they were rejected or pruned.
pub(crate) struct Outbox {
    location: Location,
    written: watch::Receiver<u64>,
    /// The counter of write failures of the log.
    failures: Box<dyn Fn() -> u64 + Send>,
    reader: Option<Reader>,
    /// `failures` at the opening of the reader.
    known_failures: u64,
    /// The last record that was read.
    last: u64,
    /// The end of the current gather delay.
    due: Option<Instant>,
    cursor: Cursor,
    pub(crate) status: Arc<Status>,
}

impl Outbox {
    pub(crate) fn new(
        log: &AuditLog,
        location: &Location,
        cursor: Cursor,
        status: Arc<Status>,
    ) -> Self {
        Self {
            location: location.clone(),
            written: log.written(),
            failures: Box::new(log.failures()),
            reader: None,
            known_failures: 0,
            last: cursor.sequence(),
            due: None,
            cursor,
            status,
        }
    }

    /// The last durable record.
    pub(crate) fn written(&self) -> u64 {
        *self.written.borrow()
    }

    /// The last record that was read, or is missing.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The last settled record.
    pub(crate) fn settled(&self) -> u64 {
        self.cursor.sequence()
    }

    /// Logs the first success after a failure.
    pub(crate) fn report_recovery(&self) {
        if self.status.succeeded() {
            tracing::info!(
                "the audit log is forwarded again; {} records wait",
                self.written().saturating_sub(self.settled())
            );
        }
    }

    /// Marks all records up to `sequence` as settled.
    pub(crate) fn settle(&mut self, sequence: u64) {
        if sequence != self.settled() {
            self.cursor.set(sequence);
            self.status.settled(sequence);
        }
    }

    /// Writes the cursor file.
    pub(crate) fn save(&mut self) {
        self.cursor.save();
    }

    /// Continues after the record `sequence`, before or after the current one.
    pub(crate) fn seek(&mut self, sequence: u64) {
        self.reader = None;
        self.last = sequence;
        self.settle(sequence);
    }

    /// The next record, if there is one. Pruned records are counted and skipped.
    pub(crate) fn next(&mut self) -> Result<Option<OutboxRecord>, ReadError> {
        let written = self.written();
        if self.last >= written {
            return Ok(None);
        }
        // Records that were read ahead of `written` may have been removed and replaced after a
        // write failure.
        if self.known_failures != (self.failures)() {
            self.reader = None;
        }
        let is_fresh = self.reader.is_none();
        let mut found = self.read()?;
        if found.is_none() && !is_fresh {
            self.reader = None;
            found = self.read()?;
        }
        // If the log was pruned to its end, there is none.
        let next = found.as_ref().map_or(u64::MAX, |record| record.sequence);
        let next = next.min(written + 1);
        if next > self.last + 1 {
            self.skip(next - 1);
        }
        if next > written {
            self.reader = None;
            return Ok(None);
        }
        self.last = next;
        Ok(found)
    }

    fn read(&mut self) -> Result<Option<OutboxRecord>, ReadError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            reader @ None => {
                self.known_failures = (self.failures)();
                reader.insert(Reader::open(&self.location, Start::After(self.last))?)
            }
        };
        Ok(reader.next()?.map(|line| {
            let sequence = line.sequence();
            OutboxRecord {
                // An unreadable record gets the next sequence.
                sequence: sequence.unwrap_or(0).max(self.last + 1),
                bytes: Bytes::copy_from_slice(line.bytes),
            }
        }))
    }

    /// Counts the records up to `last` as missing.
    fn skip(&mut self, last: u64) {
        let first = self.last + 1;
        tracing::error!(
            "the records {first} to {last} were removed from the audit log before they were \
             forwarded"
        );
        self.status.missing(last - self.last);
        self.last = last;
    }

    /// Waits until there are records, and then for the gather delay.
    pub(crate) async fn wait_for_records(&mut self) {
        loop {
            let waiting = self.written.borrow_and_update().saturating_sub(self.last);
            if waiting >= GATHER_RECORDS {
                break;
            }
            if waiting > 0 {
                let due = *self
                    .due
                    .get_or_insert_with(|| Instant::now() + GATHER_DELAY);
                tokio::time::sleep_until(due).await;
                break;
            }
            if self.written.changed().await.is_err() {
                // The log is closed.
                std::future::pending::<()>().await;
            }
        }
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn record_that_was_removed_after_a_write_failure_is_not_forwarded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let line = |sequence, text| {
            format!("{{\"host\":{{\"version\":1,\"sequence\":{sequence}}},\"text\":\"{text}\"}}\n")
        };
        std::fs::write(&path, line(1, "a") + &line(2, "taken back")).unwrap();
        let failures = Arc::new(AtomicU64::new(0));
        let (written, receiver) = watch::channel(1);
        let mut outbox = Outbox {
            location: Location::JsonLines(path.clone()),
            written: receiver,
            failures: Box::new({
                let failures = failures.clone();
                move || failures.load(Ordering::Relaxed)
            }),
            reader: None,
            known_failures: 0,
            last: 0,
            due: None,
            cursor: Cursor::open(&folder.path().join("cursor"), "n", 1).unwrap(),
            status: Arc::new(Status::new(0)),
        };
        let mut next = || outbox.next().unwrap().map(|record| record.bytes);
        assert_eq!(next().unwrap(), line(1, "a").trim_end());
        assert_eq!(next(), None);

        std::fs::write(&path, line(1, "a") + &line(2, "b")).unwrap();
        failures.store(1, Ordering::Relaxed);
        written.send_replace(2);
        assert_eq!(next().unwrap(), line(2, "b").trim_end());
    }
}
