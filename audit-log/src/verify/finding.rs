//! What may be wrong with a log.

use std::error::Error;

use sanitize::line;

use crate::chain::Defect;
use crate::coverage::Uncovered;
use crate::hash::Hash;
use crate::key::PublicKey;
use crate::read::ReadError;

/// Something that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// What holds the records is damaged.
    #[error("{}", line(.0))]
    Container(String),
    /// There are no records.
    #[error("the log has no records")]
    Empty,
    /// The first record is neither record 1 nor the one after a tombstone.
    #[error(
        "record {found} is the first one, and no tombstone says what became of those before it"
    )]
    Beginning {
        /// The first record.
        found: u64,
    },
    /// A record is wrong.
    #[error("record {sequence}: {defect}")]
    Record {
        /// Its place.
        sequence: u64,
        /// What is wrong with it.
        defect: Defect,
    },
    /// A tombstone is wrong.
    #[error("the tombstone of record {sequence}: {why}")]
    Tombstone {
        /// The record that it names.
        sequence: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A signature is of a key that nobody asked for.
    #[error("{what} record {sequence} is signed by another key than expected: {key}")]
    Key {
        /// What is signed.
        what: &'static str,
        /// The record that it names.
        sequence: u64,
        /// The key.
        key: Box<PublicKey>,
    },
    /// The last line is not complete.
    #[error(
        "after record {after} there are {bytes} bytes of a record that was not finished; a server \
         that starts takes them off, and no receipt was given for them"
    )]
    Unfinished {
        /// The last complete record.
        after: u64,
        /// How much follows.
        bytes: u64,
    },
    /// Records that a server would have signed are not covered by a checkpoint.
    #[error("{0}")]
    Uncovered(Uncovered),
    /// The same was so when a server started, which has signed them since.
    #[error(
        "records {first} to {last} were not covered by a checkpoint when the server started that \
         wrote record {sequence}, though a server would have signed them before: checkpoints were \
         removed, or these records are forged"
    )]
    Unattested {
        /// The record of the server.
        sequence: u64,
        /// The first record that was not covered.
        first: u64,
        /// The last one.
        last: u64,
    },
    /// A checkpoint that was kept somewhere else was changed there.
    #[error("the signature of the checkpoint from outside of record {sequence} is wrong")]
    OutsideSignature {
        /// The record that it names.
        sequence: u64,
    },
    /// A checkpoint that was kept somewhere else is of another log.
    #[error(
        "the checkpoint from outside of record {sequence} is of the node `{}`, and the log is that \
         of `{}`",
        line(named),
        line(found)
    )]
    OutsideNode {
        /// The record that it names.
        sequence: u64,
        /// Its node.
        named: String,
        /// The node of the log.
        found: String,
    },
    /// A record is not the one that was signed.
    #[error(
        "record {sequence} has the hash {found}, and the checkpoint from outside, signed at \
         {}, names {signed}: some of the records {first} to {sequence} were changed",
        line(time)
    )]
    Rewritten {
        /// The first record that may have been changed.
        first: u64,
        /// The record that was signed.
        sequence: u64,
        /// Its hash.
        found: Hash,
        /// The hash that was signed.
        signed: Hash,
        /// When it was signed.
        time: String,
    },
    /// The log ends before a record that was signed.
    #[error(
        "record {last} is the last one, and a checkpoint from outside, signed at {}, is of \
         record {sequence}: all after record {last} were removed",
        line(time)
    )]
    CutOff {
        /// The last record.
        last: u64,
        /// The record that was signed.
        sequence: u64,
        /// When it was signed.
        time: String,
    },
}

impl Finding {
    /// The record that is wrong or missing, if it is about one.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        match self {
            Self::Container(_) | Self::Empty | Self::Uncovered(Uncovered::All) => None,
            Self::Uncovered(Uncovered::Long { first, .. }) | Self::Unattested { first, .. } => {
                Some(*first)
            }
            Self::Beginning { found } => Some(*found),
            Self::Unfinished { after, .. } | Self::CutOff { last: after, .. } => Some(after + 1),
            Self::Uncovered(
                Uncovered::Boundary { sequence, .. } | Uncovered::AfterStop { sequence },
            )
            | Self::Record { sequence, .. }
            | Self::Tombstone { sequence, .. }
            | Self::Key { sequence, .. }
            | Self::OutsideSignature { sequence }
            | Self::OutsideNode { sequence, .. }
            | Self::Rewritten { sequence, .. } => Some(*sequence),
        }
    }

    /// What to say of a log that is too damaged to be read.
    pub(super) fn damage(error: &ReadError) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        Self::Container(text)
    }
}
