//! Comparison with external checkpoints, which were copied out of an attacker's reach.

use std::io;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::checkpoint::Checkpoint;
use crate::head::Head;

/// The checkpoints in a file to which a server copied them, one a line.
#[derive(Debug)]
pub struct CheckpointFile {
    /// The readable checkpoints.
    pub checkpoints: Vec<Checkpoint<'static>>,
    /// The numbers of the other lines, such as one that a crash truncated.
    pub other_lines: Vec<usize>,
}

/// An error of reading a file of checkpoints.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointFileError {
    /// The file cannot be read.
    #[error("cannot read the checkpoints in `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file contains no checkpoint.
    #[error(
        "`{}` contains no checkpoints; expected a file that a server has written to its \
         `--audit-checkpoints` folder",
        path.display()
    )]
    None {
        /// The file.
        path: PathBuf,
    },
}

impl CheckpointFile {
    /// Reads the checkpoints in the file at `path`.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or no line of it is a checkpoint.
    pub fn read(path: &Path) -> Result<Self, CheckpointFileError> {
        let bytes = std::fs::read(path).map_err(|source| CheckpointFileError::Io {
            path: path.to_owned(),
            source,
        })?;
        let mut copies = Self {
            checkpoints: Vec::new(),
            other_lines: Vec::new(),
        };
        let lines = bytes.split(|&byte| byte == b'\n');
        for (number, line) in (1..).zip(lines).filter(|(_, line)| !line.is_empty()) {
            let text = str::from_utf8(line).unwrap_or_default();
            match serde_json::from_str::<Checkpoint<'_>>(text) {
                Ok(checkpoint) => copies.checkpoints.push(checkpoint.into_owned()),
                Err(_) => copies.other_lines.push(number),
            }
        }
        if copies.checkpoints.is_empty() {
            let path = path.to_owned();
            return Err(CheckpointFileError::None { path });
        }
        Ok(copies)
    }
}

/// The comparison of external checkpoints with a log, record by record.
pub(super) struct ExternalCheckpoints {
    /// The checkpoints of records that were not read yet, the last record first.
    pending: Vec<Checkpoint<'static>>,
    /// The last records of the tombstones.
    bases: Vec<Head>,
    summary: Summary,
}

/// The result of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Summary {
    /// The number of matching checkpoints.
    pub(super) matching: u64,
    /// The last record of a matching checkpoint.
    pub(super) last: u64,
    /// The number of checkpoints of pruned records.
    pub(super) pruned: u64,
}

impl ExternalCheckpoints {
    pub(super) fn new(checkpoints: &[Checkpoint<'static>]) -> Self {
        let mut pending = checkpoints.to_vec();
        pending.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.sequence));
        Self {
            pending,
            bases: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// Adds the last record of a tombstone.
    pub(super) fn add_base(&mut self, base: Head) {
        self.bases.push(base);
    }

    /// Compares the checkpoints of records up to `base`, after which the log begins.
    pub(super) fn begin(&mut self, base: Head) -> Option<Finding> {
        while let Some(next) = self.pending.pop_if(|next| next.sequence <= base.sequence) {
            let known = self.bases.iter().find(|one| one.sequence == next.sequence);
            match known {
                Some(head) if head.hash != next.hash => return Some(self.mismatch(*head, &next)),
                Some(head) => self.add_match(*head),
                None => self.summary.pruned += 1,
            }
        }
        None
    }

    /// Compares the checkpoints of the next record, `head`.
    pub(super) fn compare(&mut self, head: Head, node: Option<&str>) -> Option<Finding> {
        while let Some(next) = self.pending.pop_if(|next| next.sequence == head.sequence) {
            if let Some(node) = node.filter(|&node| node != next.node) {
                return Some(Finding::ExternalNode {
                    sequence: next.sequence,
                    named: next.node.into_owned(),
                    found: node.to_owned(),
                });
            }
            if next.hash != head.hash {
                return Some(self.mismatch(head, &next));
            }
            self.add_match(head);
        }
        None
    }

    /// The finding if the log ends with `head`.
    pub(super) fn end(&self, head: Head) -> Option<Finding> {
        let furthest = self.pending.first()?;
        Some(Finding::Truncated {
            last: head.sequence,
            sequence: furthest.sequence,
            time: furthest.time.as_ref().to_owned(),
        })
    }

    pub(super) fn summary(&self) -> Summary {
        self.summary
    }

    fn add_match(&mut self, head: Head) {
        self.summary.matching += 1;
        self.summary.last = head.sequence;
    }

    fn mismatch(&self, head: Head, checkpoint: &Checkpoint<'_>) -> Finding {
        Finding::Rewritten {
            first: self.summary.last + 1,
            sequence: head.sequence,
            found: head.hash,
            signed: checkpoint.hash,
            time: checkpoint.time.as_ref().to_owned(),
        }
    }
}
