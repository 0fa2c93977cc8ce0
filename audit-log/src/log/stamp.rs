//! What the writer puts on a record: its place, its time, and now and then a signature.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::CHECKPOINT_INTERVAL;
use crate::checkpoint::Checkpoint;
use crate::key::SigningKey;
use crate::record::{Draft, Position, VERSION};
use crate::store::{Batch, Head};

/// The most records that follow a checkpoint. Fewer than are read of the end of a log
/// when it is opened.
const UNCOVERED_RECORDS: u64 = 4096;

/// What is the same, or goes on, in all records of a boot.
pub(super) struct Stamp {
    node: String,
    boot: String,
    started: Instant,
    key: Option<SigningKey>,
}

/// The records that no checkpoint covers, apart from the one that the last checkpoint is
/// in.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Uncovered {
    count: u64,
    /// The time of the first of them.
    since: Timestamp,
}

impl Uncovered {
    pub(super) fn is_empty(self) -> bool {
        self.count == 0
    }

    /// Whether a checkpoint has to come before a record of the time `now`, so that the
    /// records after a checkpoint are never further apart than an interval, whatever
    /// happens to the process or the clock between two of them.
    pub(super) fn is_due(self, now: Timestamp) -> bool {
        // Negative where the clock was set back.
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

impl Stamp {
    /// Draws the boot at random.
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

    /// Writes a record of the time `now` into `batch`, and goes on to it.
    pub(super) fn put(
        &self,
        draft: &Draft,
        now: Timestamp,
        head: &mut Head,
        uncovered: &mut Uncovered,
        batch: &mut Batch,
    ) {
        self.write(draft, &format(now), head, batch);
        uncovered.add(now);
    }

    /// Writes a checkpoint of all records up to `head` into `batch`, if there is a key.
    pub(super) fn sign(
        &self,
        now: Timestamp,
        head: &mut Head,
        uncovered: &mut Uncovered,
        batch: &mut Batch,
    ) -> Option<Checkpoint<'static>> {
        let key = self.key.as_ref()?;
        let time = format(now);
        let Head { sequence, hash } = *head;
        let checkpoint = Checkpoint::sign(key, &self.node, sequence, hash, &time);
        self.write(&Draft::checkpoint(&checkpoint), &time, head, batch);
        *uncovered = Uncovered::default();
        Some(checkpoint.into_owned())
    }

    fn write(&self, draft: &Draft, time: &str, head: &mut Head, batch: &mut Batch) {
        let (sequence, previous) = head.next();
        let monotonic_ns = self.started.elapsed().as_nanos();
        let position = Position {
            version: VERSION,
            sequence,
            previous,
            time,
            monotonic_ns: u64::try_from(monotonic_ns).unwrap_or(u64::MAX),
            node: &self.node,
            boot: &self.boot,
        };
        let hash = batch.push(|buffer| draft.write(&position, buffer));
        *head = Head { sequence, hash };
    }
}

/// The time, with as many digits always.
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
    fn a_checkpoint_is_due_before_a_record_that_is_an_interval_younger() {
        let mut uncovered = Uncovered::default();
        assert!(!uncovered.is_due(at(0)));
        uncovered.add(at(0));
        assert!(!uncovered.is_due(at(0)));
        // A process that was stopped, or a clock that was set.
        assert!(uncovered.is_due(at(1)));
        assert!(uncovered.is_due(at(3600)));
        assert!(uncovered.is_due(at(-1)));
    }

    #[test]
    fn a_checkpoint_is_due_after_so_many_records() {
        let mut uncovered = Uncovered::default();
        for _ in 1..UNCOVERED_RECORDS {
            uncovered.add(at(0));
        }
        assert!(!uncovered.is_due(at(0)));
        uncovered.add(at(0));
        assert!(uncovered.is_due(at(0)));
    }
}
