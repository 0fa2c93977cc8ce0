//! Checkpoints that were kept somewhere else, where whoever changed the log could
//! not change them.

use std::io;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::checkpoint::Checkpoint;
use crate::store::Head;

/// The checkpoints in a file, as a server copies them: one a line.
#[derive(Debug)]
pub struct Copies {
    /// Those that can be read.
    pub checkpoints: Vec<Checkpoint<'static>>,
    /// The numbers of the lines that are none, such as one that a crash cut off.
    pub other_lines: Vec<usize>,
}

/// Why there are no checkpoints.
#[derive(Debug, thiserror::Error)]
pub enum CopiesError {
    /// The file cannot be read.
    #[error("cannot read the checkpoints in `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file holds something else.
    #[error(
        "`{}` has no checkpoints; expected a file that a server has made in the folder of its \
         `--audit-checkpoints`",
        path.display()
    )]
    None {
        /// The file.
        path: PathBuf,
    },
}

impl Copies {
    /// Reads the checkpoints in the file at `path`.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or no line of it is a checkpoint.
    pub fn read(path: &Path) -> Result<Self, CopiesError> {
        let bytes = std::fs::read(path).map_err(|source| CopiesError::Io {
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
            return Err(CopiesError::None { path });
        }
        Ok(copies)
    }
}

/// Compares checkpoints with a log that is read.
pub(super) struct Outside {
    /// Those that were not reached yet, in the order of their records from the
    /// back.
    pending: Vec<Checkpoint<'static>>,
    /// The last records before the tombstones.
    bases: Vec<Head>,
    summary: Summary,
}

/// How the log compares with the checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Summary {
    /// How many fit.
    pub(super) fitting: u64,
    /// The last record that one of them is of.
    pub(super) last: u64,
    /// How many are of records that were pruned.
    pub(super) pruned: u64,
}

impl Outside {
    pub(super) fn new(checkpoints: &[Checkpoint<'static>]) -> Self {
        let mut pending = checkpoints.to_vec();
        pending.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.sequence));
        Self {
            pending,
            bases: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// Takes note of the last record that a tombstone stands for.
    pub(super) fn remember(&mut self, base: Head) {
        self.bases.push(base);
    }

    /// Compares what is of records up to `base`, after which the log begins.
    pub(super) fn begin(&mut self, base: Head) -> Option<Finding> {
        while let Some(next) = self.pending.pop_if(|next| next.sequence <= base.sequence) {
            let known = self.bases.iter().find(|one| one.sequence == next.sequence);
            match known {
                Some(head) if head.hash != next.hash => return Some(self.mismatch(*head, &next)),
                Some(head) => self.fits(*head),
                None => self.summary.pruned += 1,
            }
        }
        None
    }

    /// Compares what is of the record `head`, which follows the one before.
    pub(super) fn compare(&mut self, head: Head, node: Option<&str>) -> Option<Finding> {
        while let Some(next) = self.pending.pop_if(|next| next.sequence == head.sequence) {
            if let Some(node) = node.filter(|&node| node != next.node) {
                return Some(Finding::OutsideNode {
                    sequence: next.sequence,
                    named: next.node.into_owned(),
                    found: node.to_owned(),
                });
            }
            if next.hash != head.hash {
                return Some(self.mismatch(head, &next));
            }
            self.fits(head);
        }
        None
    }

    /// What is wrong if the log ends with `head`.
    pub(super) fn end(&self, head: Head) -> Option<Finding> {
        let furthest = self.pending.first()?;
        Some(Finding::CutOff {
            last: head.sequence,
            sequence: furthest.sequence,
            time: furthest.time.as_ref().to_owned(),
        })
    }

    pub(super) fn summary(&self) -> Summary {
        self.summary
    }

    fn fits(&mut self, head: Head) {
        self.summary.fitting += 1;
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
