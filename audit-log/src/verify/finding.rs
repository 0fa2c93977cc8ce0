//! The possible findings of a verification.

use sanitize::{error_chain, line};

use crate::chain::Defect;
use crate::coverage::Uncovered;
use crate::hash::Hash;
use crate::key::PublicKey;
use crate::read::ReadError;

/// A defect of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The storage is damaged.
    #[error("{}", line(.0))]
    Container(String),
    /// The log is empty.
    #[error("the log has no records")]
    Empty,
    /// The first record is neither record 1 nor the record after a tombstone.
    #[error(
        "the log begins with record {found}, and no tombstone accounts for the previous records"
    )]
    MissingBeginning {
        /// The first record.
        found: u64,
    },
    /// A record is bad.
    #[error("record {sequence}: {defect}")]
    Record {
        /// Its sequence.
        sequence: u64,
        /// Its defect.
        defect: Defect,
    },
    /// A tombstone is bad.
    #[error("tombstone of record {sequence}: {reason}")]
    Tombstone {
        /// The record that it names.
        sequence: u64,
        /// Its defect.
        reason: &'static str,
    },
    /// A signature is of an unexpected key.
    #[error("{what} record {sequence} is signed by an unexpected key: {key}")]
    UnexpectedKey {
        /// The signed statement.
        what: &'static str,
        /// The record that it names.
        sequence: u64,
        /// The key.
        key: Box<PublicKey>,
    },
    /// The last line is incomplete.
    #[error(
        "record {after} is followed by {bytes} bytes of an unfinished record, for which no receipt \
         was given; the next start removes them"
    )]
    Unfinished {
        /// The last complete record.
        after: u64,
        /// The number of bytes after it.
        bytes: u64,
    },
    /// Records that a server would have signed have no checkpoint.
    #[error("{0}")]
    Uncovered(Uncovered),
    /// Records that a server would have signed had no checkpoint before a start signed them.
    #[error(
        "records {first} to {last} were not covered by a checkpoint at the start that wrote record \
         {sequence}, though a server would have signed them before: checkpoints were removed, or \
         these records are forged"
    )]
    Unattested {
        /// The record in which the start reported this.
        sequence: u64,
        /// The first uncovered record.
        first: u64,
        /// The last one.
        last: u64,
    },
    /// An external checkpoint was changed.
    #[error("invalid signature of the external checkpoint of record {sequence}")]
    ExternalSignature {
        /// The record that it names.
        sequence: u64,
    },
    /// An external checkpoint is of another log.
    #[error(
        "the external checkpoint of record {sequence} belongs to the node `{}`, the log to `{}`",
        line(named),
        line(found)
    )]
    ExternalNode {
        /// The record that it names.
        sequence: u64,
        /// The node of the checkpoint.
        named: String,
        /// The node of the log.
        found: String,
    },
    /// A record does not match its external checkpoint.
    #[error(
        "record {sequence} has the hash {found}, and its external checkpoint, signed at {}, names \
         {signed}: some of the records {first} to {sequence} were changed",
        line(time)
    )]
    Rewritten {
        /// The first record that may have been changed.
        first: u64,
        /// The signed record.
        sequence: u64,
        /// Its hash.
        found: Hash,
        /// The signed hash.
        signed: Hash,
        /// The time of signing.
        time: String,
    },
    /// The log ends before the record of an external checkpoint.
    #[error(
        "the log ends with record {last}, and an external checkpoint, signed at {}, is of record \
         {sequence}: all records after {last} were removed",
        line(time)
    )]
    Truncated {
        /// The last record.
        last: u64,
        /// The signed record.
        sequence: u64,
        /// The time of signing.
        time: String,
    },
}

impl Finding {
    /// The bad or missing record, if the finding is about one.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        match self {
            Self::Container(_) | Self::Empty | Self::Uncovered(Uncovered::All) => None,
            Self::Uncovered(Uncovered::Long { first, .. }) | Self::Unattested { first, .. } => {
                Some(*first)
            }
            Self::MissingBeginning { found } => Some(*found),
            Self::Unfinished { after, .. } | Self::Truncated { last: after, .. } => Some(after + 1),
            Self::Uncovered(
                Uncovered::Boundary { sequence, .. } | Uncovered::AfterStop { sequence },
            )
            | Self::Record { sequence, .. }
            | Self::Tombstone { sequence, .. }
            | Self::UnexpectedKey { sequence, .. }
            | Self::ExternalSignature { sequence }
            | Self::ExternalNode { sequence, .. }
            | Self::Rewritten { sequence, .. } => Some(*sequence),
        }
    }

    /// The finding for a log that is too damaged to be read.
    pub(super) fn damage(error: &ReadError) -> Self {
        Self::Container(error_chain(error))
    }
}
