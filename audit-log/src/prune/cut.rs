//! Selection and verification of the records to remove.

use std::collections::VecDeque;

use super::{PruneError, Pruned};
use crate::chain::Chain;
use crate::event::Event;
use crate::head::Head;
use crate::key::SigningKey;
use crate::read::{Reader, Start};
use crate::verify::{Finding, check_tombstones};
use crate::{Location, TimeBound};

/// The number of records removed in one transaction of a database.
const STEP_RECORDS: u64 = 10_000;

/// The new beginning of the log.
pub(super) struct Cut {
    /// The last record that was removed earlier.
    pub(super) base: Head,
    /// The name of the log.
    pub(super) node: String,
    /// The last records of the successive transactions. The last one is the cut.
    pub(super) steps: Vec<Head>,
    /// The end of the last record to remove, in bytes.
    pub(super) position: u64,
    /// The existing tombstones.
    pub(super) tombstones: Vec<Vec<u8>>,
}

impl Cut {
    /// Reads and verifies the log up to the first record that is not older than `before`, or
    /// to the last one. Selects only records that a checkpoint of `key` covers: a tombstone is
    /// a signature, too, and must not attest forged records.
    pub(super) fn find(
        location: &Location,
        before: &TimeBound,
        key: &SigningKey,
    ) -> Result<Option<Self>, PruneError> {
        let damaged = |finding| PruneError::Damaged {
            location: location.clone(),
            finding: Box::new(finding),
        };
        let mut reader = Reader::open(location, Start::First)?;
        let lines = reader.tombstones()?;
        let tombstones = check_tombstones(&lines).map_err(damaged)?;
        let (base, mut chain) = match tombstones.last() {
            Some(last) => (last.head(), Chain::after_tombstone(last)),
            None => (Head::EMPTY, Chain::after(Head::EMPTY)),
        };
        let mut cut = Self {
            base,
            node: String::new(),
            steps: Vec::new(),
            position: 0,
            tombstones: lines,
        };
        let (mut other_key, mut is_signed) = (None, false);
        // The old records without a checkpoint so far, and their ends in bytes.
        let mut pending: VecDeque<(Head, u64)> = VecDeque::new();
        let mut is_old = true;
        let mut last = base;
        while let Some(line) = reader.next()? {
            let sequence = last.sequence + 1;
            let record = chain
                .check(&line)
                .map_err(|defect| damaged(Finding::Record { sequence, defect }))?;
            last = chain.head().unwrap_or(last);
            is_old = is_old && before.is_after(&record.host.time);
            // The record that a start found forged records must stay in the log.
            if let (true, Some(Event::LogUnattested { first, last })) = (is_old, &record.event) {
                return Err(damaged(Finding::Unattested {
                    sequence: record.host.sequence,
                    first: *first,
                    last: *last,
                }));
            }
            if is_old {
                pending.push_back((last, line.position));
            }
            match &record.checkpoint {
                Some(checkpoint) if checkpoint.public_key == key.public_key() => {
                    is_signed = true;
                    let covered =
                        |(head, _): &mut (Head, u64)| head.sequence <= checkpoint.sequence;
                    while let Some((head, position)) = pending.pop_front_if(covered) {
                        cut.extend(head, position);
                    }
                }
                Some(checkpoint) => other_key = Some(checkpoint.public_key),
                None => {}
            }
            if !is_old && pending.is_empty() {
                break;
            }
        }
        if cut.steps.is_empty() {
            return match other_key {
                Some(found) if !is_signed && !pending.is_empty() => Err(PruneError::OtherKey {
                    found: found.into(),
                    given: key.public_key().into(),
                }),
                _ => Ok(None),
            };
        }
        chain.node().unwrap_or_default().clone_into(&mut cut.node);
        Ok(Some(cut))
    }

    /// Adds the record `head`, which ends at `position`.
    fn extend(&mut self, head: Head, position: u64) {
        let removed = head.sequence - self.base.sequence;
        if removed % STEP_RECORDS == 1 {
            self.steps.push(head);
        } else if let Some(last) = self.steps.last_mut() {
            *last = head;
        }
        self.position = position;
    }

    pub(super) fn pruned(&self) -> Pruned {
        Pruned {
            first: self.base.sequence + 1,
            last: self.last().sequence,
        }
    }

    /// The last record to remove.
    pub(super) fn last(&self) -> Head {
        self.steps.last().copied().unwrap_or(self.base)
    }
}
