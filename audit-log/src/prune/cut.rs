//! Which records are old, and whether they are as they were written.

use super::{PruneError, Pruned};
use crate::chain::Chain;
use crate::key::{PublicKey, SigningKey};
use crate::read::{Reader, Start};
use crate::record::Record;
use crate::store::Head;
use crate::verify::{Finding, check_tombstones};
use crate::{Location, Moment};

/// How many records are removed at once from a database.
const STEP_RECORDS: u64 = 10_000;

/// How many of the last records are searched for who signs the log.
const SEARCHED_RECORDS: u64 = 10_000;

/// Where the log will begin.
pub(super) struct Cut {
    /// What was removed earlier.
    pub(super) base: Head,
    /// The name of the log.
    pub(super) node: String,
    /// Up to where to remove, one after the other. The last one is the cut.
    pub(super) steps: Vec<Head>,
    /// Where the last record to be removed ends, in bytes.
    pub(super) position: u64,
    /// The tombstones that are there already.
    pub(super) tombstones: Vec<Vec<u8>>,
}

impl Cut {
    /// Reads the log up to the first record that is not older than `before`, or to
    /// the last one, and checks all of them.
    pub(super) fn find(
        location: &Location,
        before: &Moment,
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
        let mut keys = Vec::new();
        // The last old record, and where it ends. It is removed only if a record
        // follows that says that it is the one before it.
        let mut old: Option<(Head, u64)> = None;
        let mut last = base;
        while let Some(line) = reader.next()? {
            let sequence = last.sequence + 1;
            let record = chain
                .check(&line)
                .map_err(|defect| damaged(Finding::Record { sequence, defect }))?;
            if let Some((head, position)) = old.take() {
                cut.extend(head, position);
            }
            if !before.is_after(&record.host.time) {
                break;
            }
            last = chain.head().unwrap_or(last);
            old = Some((last, line.position));
            keys.extend(signer(&record).filter(|key| keys.last() != Some(key)));
        }
        if cut.steps.is_empty() {
            return Ok(None);
        }
        chain.node().unwrap_or_default().clone_into(&mut cut.node);
        check_key(location, keys, key.public_key())?;
        Ok(Some(cut))
    }

    /// Also removes the record `head`, which ends at `position`.
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

    /// The last record to be removed.
    pub(super) fn last(&self) -> Head {
        self.steps.last().copied().unwrap_or(self.base)
    }
}

/// Checks that `given` is one of the keys that sign the log: `keys`, or those of
/// its end. A tombstone of another key would make the log suspect for ever.
fn check_key(
    location: &Location,
    mut keys: Vec<PublicKey>,
    given: PublicKey,
) -> Result<(), PruneError> {
    let mut reader = Reader::open(location, Start::Last(SEARCHED_RECORDS))?;
    while let Some(line) = reader.next()? {
        let text = str::from_utf8(line.bytes).unwrap_or_default();
        let record = serde_json::from_str::<Record<'_>>(text).ok();
        let signer = record.as_ref().and_then(signer);
        keys.extend(signer.filter(|key| keys.last() != Some(key)));
    }
    match keys.last() {
        Some(&found) if !keys.contains(&given) => Err(PruneError::OtherKey {
            found: found.into(),
            given: given.into(),
        }),
        _ => Ok(()),
    }
}

fn signer(record: &Record<'_>) -> Option<PublicKey> {
    Some(record.checkpoint.as_ref()?.public_key)
}
