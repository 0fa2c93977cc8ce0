//! Assignment of sequence, time and hash to records, and of checkpoints between them.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::CHECKPOINT_INTERVAL;
use crate::checkpoint::Checkpoint;
use crate::head::Head;
use crate::key::SigningKey;
use crate::record::{PendingRecord, RecordHeader, VERSION};
use crate::store::Batch;

/// The maximum number of records after a checkpoint. Less than the number of records that are
/// read from the end of a log when it is opened.
const UNCOVERED_RECORDS: u64 = 4096;

/// The state that all records of a boot share.
pub(super) struct Sequencer {
    node: String,
    boot: String,
    started: Instant,
    key: Option<SigningKey>,
}

/// The records after the last checkpoint record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UncoveredRecords {
    count: u64,
    /// The time of the first one.
    since: Timestamp,
}

impl UncoveredRecords {
    pub(super) fn is_empty(self) -> bool {
        self.count == 0
    }

    /// Whether a checkpoint must precede a record with the time `now`, so that the records after a
    /// checkpoint never span more than an interval, even if the process is stopped or the clock
    /// is set between two of them.
    pub(super) fn is_due(self, now: Timestamp) -> bool {
        // Fails where the clock was set back.
        let age = Duration::try_from(now.duration_since(self.since));
        let is_old = age.map_or(true, |age| age >= CHECKPOINT_INTERVAL);
        !self.is_empty() && (is_old || self.count >= UNCOVERED_RECORDS)
    }

    fn add(&mut self, now: Timestamp) {
        if self.is_empty() {
            self.since = now;
        }
        self.count += 1;
    }
}

impl Sequencer {
    /// Creates the state of a new boot, with a random identifier.
    pub(super) fn new(node: String, key: Option<SigningKey>) -> std::io::Result<Self> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        Ok(Self {
            node,
            boot: const_hex::encode(random),
            started: Instant::now(),
            key,
        })
    }

    /// Adds a record with the time `now` to `batch`, and advances `head` to it.
    pub(super) fn add(
        &self,
        record: &PendingRecord,
        now: Timestamp,
        head: &mut Head,
        uncovered: &mut UncoveredRecords,
        batch: &mut Batch,
    ) {
        self.write(record, &format(now), head, batch);
        uncovered.add(now);
    }

    /// Adds a checkpoint of all records up to `head` to `batch`, if there is a key.
    pub(super) fn sign(
        &self,
        now: Timestamp,
        head: &mut Head,
        uncovered: &mut UncoveredRecords,
        batch: &mut Batch,
    ) -> Option<Checkpoint<'static>> {
        let key = self.key.as_ref()?;
        let time = format(now);
        let Head { sequence, hash } = *head;
        let checkpoint = Checkpoint::sign(key, &self.node, sequence, hash, &time);
        self.write(&PendingRecord::checkpoint(&checkpoint), &time, head, batch);
        *uncovered = UncoveredRecords::default();
        Some(checkpoint.into_owned())
    }

    fn write(&self, record: &PendingRecord, time: &str, head: &mut Head, batch: &mut Batch) {
        let (sequence, previous) = head.next();
        let monotonic_ns = self.started.elapsed().as_nanos();
        let header = RecordHeader {
            version: VERSION,
            sequence,
            previous,
            time,
            monotonic_ns: u64::try_from(monotonic_ns).unwrap_or(u64::MAX),
            node: &self.node,
            boot: &self.boot,
        };
        let hash = batch.push(|buffer| record.write(&header, buffer));
        *head = Head { sequence, hash };
    }
}

/// The time in the form of records, with nine digits after the point.
fn format(time: Timestamp) -> String {
    format!("{time:.9}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn checkpoint_is_due_before_a_record_that_is_an_interval_younger() {
        let mut uncovered = UncoveredRecords::default();
        assert!(!uncovered.is_due(at(0)));
        uncovered.add(at(0));
        assert!(!uncovered.is_due(at(0)));
        // The process was stopped, or the clock was set.
        assert!(uncovered.is_due(at(1)));
        assert!(uncovered.is_due(at(3600)));
        assert!(uncovered.is_due(at(-1)));
    }

    #[test]
    fn checkpoint_is_due_after_the_maximum_number_of_uncovered_records() {
        let mut uncovered = UncoveredRecords::default();
        for _ in 1..UNCOVERED_RECORDS {
            uncovered.add(at(0));
        }
        assert!(!uncovered.is_due(at(0)));
        uncovered.add(at(0));
        assert!(uncovered.is_due(at(0)));
    }
}
