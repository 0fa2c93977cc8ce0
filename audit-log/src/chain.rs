//! The hash chain of records.

use sanitize::line;

use crate::checkpoint::{Checkpoint, Tombstone};
use crate::hash::Hash;
use crate::head::Head;
use crate::node::is_node_name;
use crate::read::Line;
use crate::record::{Record, VERSION};

/// Checks a log record by record.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The last checked record; None if the first record may be any.
    head: Option<Head>,
    /// The name of the log, which all records share.
    node: Option<String>,
}

/// An error of one record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// The line is not a record.
    #[error("not a record: {}", line(.0))]
    Unreadable(String),
    /// The format version is unknown.
    #[error("unsupported version {0}; expected {VERSION}")]
    Version(u32),
    /// The record is stored under the sequence of another one.
    #[error("the record stored here has the sequence {0}")]
    Misplaced(u64),
    /// Previous records are missing, or the record is a duplicate.
    #[error("expected record {expected}, found record {found}")]
    Gap {
        /// The next sequence.
        expected: u64,
        /// The sequence of the record.
        found: u64,
    },
    /// The previous record is not the one after which this record was written.
    #[error(
        "broken chain: it names {named} as the previous hash, and the previous record has {found}: \
         the previous record was changed, or this one does not belong here"
    )]
    BrokenLink {
        /// The hash that the record names.
        named: Hash,
        /// The hash of the previous record.
        found: Hash,
    },
    /// The time is not in the form that a server writes.
    #[error("invalid time; expected UTC with nine digits after the point")]
    Time,
    /// The name of the log is invalid.
    #[error("invalid node; expected 1 to 64 letters, digits, `-` and `_`")]
    Node,
    /// The record belongs to another log.
    #[error(
        "the record belongs to the node `{}`, the log to `{}`",
        line(found),
        line(expected)
    )]
    OtherNode {
        /// The node of the previous records.
        expected: String,
        /// The node of the record.
        found: String,
    },
    /// The checkpoint is not one of the previous record.
    #[error("the checkpoint does not match the previous record")]
    OtherCheckpoint,
    /// The checkpoint was not signed by the key that it names.
    #[error("invalid signature of the checkpoint")]
    Signature,
}

impl Chain {
    /// Expects the record after `head`.
    #[must_use]
    pub fn after(head: Head) -> Self {
        let head = Some(head);
        Self { head, node: None }
    }

    /// Accepts any first record.
    #[must_use]
    pub fn anywhere() -> Self {
        Self {
            head: None,
            node: None,
        }
    }

    /// Expects the record after those that `tombstone` stands for.
    #[must_use]
    pub fn after_tombstone(tombstone: &Tombstone<'_>) -> Self {
        Self {
            head: Some(tombstone.head()),
            node: Some(tombstone.node.as_ref().to_owned()),
        }
    }

    /// The last checked record.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.head
    }

    /// The name of the log, once it is known.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// Checks that `line` is the next record, and advances to it.
    ///
    /// # Errors
    ///
    /// Returns the defect of the record, and does not advance.
    pub fn check<'a>(&mut self, line: &Line<'a>) -> Result<Record<'a>, Defect> {
        let text =
            str::from_utf8(line.bytes).map_err(|_| Defect::Unreadable("not UTF-8".to_owned()))?;
        let record: Record<'a> =
            serde_json::from_str(text).map_err(|error| Defect::Unreadable(error.to_string()))?;
        let host = &record.host;
        if host.version != VERSION {
            return Err(Defect::Version(host.version));
        }
        if line.key.is_some_and(|key| key != host.sequence) {
            return Err(Defect::Misplaced(host.sequence));
        }
        if let Some(head) = self.head {
            let (expected, found) = (head.sequence.saturating_add(1), host.sequence);
            if found != expected {
                return Err(Defect::Gap { expected, found });
            }
            let (named, found) = (host.previous, head.hash);
            if named != found {
                return Err(Defect::BrokenLink { named, found });
            }
        }
        if !is_time(&host.time) {
            return Err(Defect::Time);
        }
        match &self.node {
            Some(node) if *node != host.node => {
                return Err(Defect::OtherNode {
                    expected: node.clone(),
                    found: host.node.as_ref().to_owned(),
                });
            }
            Some(_) => {}
            None if !is_node_name(&host.node) => return Err(Defect::Node),
            None => self.node = Some(host.node.as_ref().to_owned()),
        }
        match (&record.guest, &record.event, &record.checkpoint) {
            (Some(_), None, None) | (None, Some(_), None) => {}
            (None, None, Some(checkpoint)) => check_checkpoint(checkpoint, &record)?,
            _ => {
                let reason = "expected one of `guest`, `event` and `checkpoint`";
                return Err(Defect::Unreadable(reason.to_owned()));
            }
        }
        self.head = Some(Head {
            sequence: host.sequence,
            hash: Hash::of(text),
        });
        Ok(record)
    }
}

/// Whether `text` has the time format of records, so that texts can be compared.
fn is_time(text: &str) -> bool {
    const FORM: &[u8; 30] = b"0000-00-00T00:00:00.000000000Z";

    let fits = |(byte, form): (u8, u8)| match form {
        b'0' => byte.is_ascii_digit(),
        form => byte == form,
    };
    text.len() == FORM.len() && text.bytes().zip(*FORM).all(fits)
}

fn check_checkpoint(checkpoint: &Checkpoint<'_>, record: &Record<'_>) -> Result<(), Defect> {
    let host = &record.host;
    let fits = checkpoint.node == host.node
        && Some(checkpoint.sequence) == host.sequence.checked_sub(1)
        && checkpoint.hash == host.previous;
    if !fits {
        return Err(Defect::OtherCheckpoint);
    }
    if !checkpoint.is_signed() {
        return Err(Defect::Signature);
    }
    Ok(())
}
