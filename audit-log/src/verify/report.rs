//! The report of a verification.

use std::fmt;

use sanitize::line;

use super::Finding;
use super::external::Summary;
use crate::checkpoint::{Checkpoint, Tombstone};
use crate::head::Head;
use crate::key::PublicKey;

/// The warning about a log whose newest records may be missing.
pub const INCOMPLETE: &str = "the newest records may be missing: the server did not stop, \
    and the database has no write-ahead log (`…-wal`), as in a copy without that file";

/// The result of a verification.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// The defects; empty if the log is good.
    pub findings: Vec<Finding>,
    /// The name of the log.
    pub node: Option<String>,
    /// The number of good records: all, or those before the first bad one.
    pub records: u64,
    /// The last good record.
    pub head: Option<Head>,
    /// The number of checkpoints among them.
    pub checkpoints: u64,
    /// The last record that a checkpoint in the log covers.
    pub covered: Option<u64>,
    /// The number of tombstones.
    pub tombstones: u64,
    /// The last tombstone.
    pub pruned: Option<Tombstone<'static>>,
    /// The keys that signed checkpoints and tombstones.
    pub keys: Vec<PublicKey>,
    /// Whether the keys were expected by the caller, and not only named by the log.
    pub is_key_expected: bool,
    /// Whether the newest records may be missing; see [`Reader::may_be_incomplete`].
    ///
    /// [`Reader::may_be_incomplete`]: crate::read::Reader::may_be_incomplete
    pub may_be_incomplete: bool,
    /// The number of starts after a crash, and of the records without a checkpoint before them.
    crashes: (u64, u64),
    /// The records where the key changed, and the previous keys.
    key_changes: Vec<(u64, PublicKey)>,
    pub(super) external: Summary,
}

impl Report {
    pub(super) fn new(is_key_expected: bool) -> Self {
        Self {
            findings: Vec::new(),
            node: None,
            records: 0,
            head: None,
            checkpoints: 0,
            covered: None,
            tombstones: 0,
            pruned: None,
            keys: Vec::new(),
            is_key_expected,
            may_be_incomplete: false,
            crashes: (0, 0),
            key_changes: Vec::new(),
            external: Summary::default(),
        }
    }

    pub(super) fn add_record(&mut self, head: Head) {
        self.records += 1;
        self.head = Some(head);
    }

    pub(super) fn add_checkpoint(&mut self, checkpoint: &Checkpoint<'_>) {
        self.checkpoints += 1;
        self.covered = Some(checkpoint.sequence);
        self.add_key(checkpoint.public_key);
    }

    pub(super) fn add_tombstone(&mut self, tombstone: Tombstone<'static>) {
        self.node = Some(tombstone.node.as_ref().to_owned());
        self.tombstones += 1;
        self.add_key(tombstone.public_key);
        self.pruned = Some(tombstone);
    }

    pub(super) fn add_key(&mut self, key: PublicKey) {
        if self.keys.last() != Some(&key) && !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }

    pub(super) fn add_crash(&mut self, uncovered: u64) {
        let (crashes, records) = self.crashes;
        self.crashes = (crashes + 1, records.saturating_add(uncovered));
    }

    pub(super) fn add_key_change(&mut self, sequence: u64, previous: PublicKey) {
        self.key_changes.push((sequence, previous));
    }

    /// Whether verification found nothing.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    /// The first and the last record after the last checkpoint.
    ///
    /// No checkpoint covers its own record, so that record counts only if others follow.
    #[must_use]
    pub fn uncovered(&self) -> Option<(u64, u64)> {
        let last = self.head?.sequence;
        let before = self.pruned.as_ref().map_or(0, |one| one.sequence);
        match self.covered {
            Some(covered) if last == covered + 1 => None,
            covered => Some((covered.unwrap_or(before) + 1, last)),
        }
    }

    fn write_keys(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.is_key_expected {
            ", which was expected"
        } else {
            ", as named by the log itself; name the expected key with `--public-key`"
        };
        for key in &self.keys {
            writeln!(f, "signed by the key {key}{whose}")?;
        }
        Ok(())
    }

    fn write_history(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sequence, previous) in &self.key_changes {
            writeln!(
                f,
                "the key was changed in record {sequence}; the previous key was {previous}"
            )?;
        }
        let (crashes, records) = self.crashes;
        if crashes > 0 {
            writeln!(
                f,
                "{} after a crash: {} had no checkpoint until then",
                count(crashes, "start"),
                count(records, "record"),
            )?;
        }
        Ok(())
    }

    fn write_external(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            matching,
            last,
            pruned,
        } = self.external;
        if matching > 0 {
            let checkpoints = count(matching, "external checkpoint");
            writeln!(f, "{checkpoints} matched, up to record {last}")?;
        }
        if pruned > 0 {
            let checkpoints = count(pruned, "external checkpoint");
            writeln!(
                f,
                "{checkpoints} could not be compared: the records were pruned"
            )?;
        }
        Ok(())
    }
}

/// The report for people, one statement a line; the last one is the verdict.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            writeln!(f, "the log of the node `{}`", line(node))?;
        }
        if let Some(tombstone) = &self.pruned {
            writeln!(
                f,
                "records 1 to {} were pruned, last at {}: {}",
                tombstone.sequence,
                line(&tombstone.time),
                count(self.tombstones, "tombstone"),
            )?;
        }
        if let Some(head) = self.head {
            let first = head.sequence + 1 - self.records;
            let checkpoints = count(self.checkpoints, "checkpoint");
            let last = head.sequence;
            writeln!(
                f,
                "records {first} to {last} are a chain, with {checkpoints}"
            )?;
        }
        self.write_keys(f)?;
        self.write_history(f)?;
        self.write_external(f)?;
        match self.uncovered() {
            Some((first, last)) if first == last => {
                writeln!(f, "record {last} is not covered by a checkpoint yet")?;
            }
            Some((first, last)) => writeln!(
                f,
                "records {first} to {last} are not covered by a checkpoint yet"
            )?,
            None => {}
        }
        if self.may_be_incomplete {
            writeln!(f, "{INCOMPLETE}")?;
        }
        for finding in &self.findings {
            writeln!(f, "WRONG: {finding}")?;
        }
        if self.is_good() {
            writeln!(f, "verified: {}", count(self.records, "record"))?;
        }
        Ok(())
    }
}

fn count(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

/// `keys` without duplicates.
pub(super) fn distinct(keys: impl Iterator<Item = PublicKey>) -> Vec<PublicKey> {
    let mut distinct = Vec::new();
    for key in keys {
        if !distinct.contains(&key) {
            distinct.push(key);
        }
    }
    distinct
}
