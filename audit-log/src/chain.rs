//! The chain: whether a record continues the one before it.

use sanitize::line;

use crate::checkpoint::{Checkpoint, Tombstone};
use crate::hash::Hash;
use crate::node::is_node_name;
use crate::read::Line;
use crate::record::{Record, VERSION};
use crate::store::Head;

/// Follows a log from record to record.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The last record; None before the first one, which may then be any.
    head: Option<Head>,
    /// The name of the log, which all records have.
    node: Option<String>,
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// It cannot be read.
    #[error("it is not a record: {}", line(.0))]
    Unreadable(String),
    /// It has another version than this program knows.
    #[error("it has the version {0}, and this program knows {VERSION}")]
    Version(u32),
    /// It is stored in the place of another one.
    #[error("it says that it is record {0}")]
    Misplaced(u64),
    /// Records before it are missing, or it is there twice.
    #[error("record {expected} should be here, and this is record {found}")]
    Gap {
        /// The sequence that should follow.
        expected: u64,
        /// The sequence that follows.
        found: u64,
    },
    /// The record before it is not the one that it was written after.
    #[error(
        "it was written after a record with the hash {named}, and the one before it has {found}: \
         the one before it was changed, or this one does not belong here"
    )]
    BrokenLink {
        /// What it names.
        named: Hash,
        /// The hash of what is there.
        found: Hash,
    },
    /// Its time is not written as a server writes it.
    #[error("its time is not in UTC with nine digits after the point")]
    Time,
    /// The name of its log is not one that a log can have.
    #[error("its node is not a name of 1 to 64 letters, digits, `-` and `_`")]
    Node,
    /// It belongs to another log.
    #[error(
        "it belongs to the log of node `{}`, and this is that of `{}`",
        line(found),
        line(expected)
    )]
    OtherNode {
        /// The node of the records before it.
        expected: String,
        /// Its node.
        found: String,
    },
    /// It is a checkpoint of something else than the record before it.
    #[error("it is a checkpoint that does not fit the record before it")]
    OtherCheckpoint,
    /// It is a checkpoint that was not signed by the key that it names.
    #[error("it is a checkpoint whose signature is wrong")]
    Signature,
}

impl Chain {
    /// Expects the record after `head`.
    #[must_use]
    pub fn after(head: Head) -> Self {
        let head = Some(head);
        Self { head, node: None }
    }

    /// Takes the first record for the beginning, whatever it is.
    #[must_use]
    pub fn anywhere() -> Self {
        Self {
            head: None,
            node: None,
        }
    }

    /// Expects the record after those that `tombstone` says were removed.
    #[must_use]
    pub fn after_tombstone(tombstone: &Tombstone<'_>) -> Self {
        Self {
            head: Some(tombstone.head()),
            node: Some(tombstone.node.as_ref().to_owned()),
        }
    }

    /// The last record that was checked.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.head
    }

    /// The name of the log, once it is known.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// Checks that `line` is the next record, and goes on to it.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it. Then this is where it was.
    pub fn check<'a>(&mut self, line: &Line<'a>) -> Result<Record<'a>, Defect> {
        let text = str::from_utf8(line.bytes)
            .map_err(|_| Defect::Unreadable("it is not text".to_owned()))?;
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
                let why = "expected one of `guest`, `event` and `checkpoint`";
                return Err(Defect::Unreadable(why.to_owned()));
            }
        }
        self.head = Some(Head {
            sequence: host.sequence,
            hash: Hash::of(text),
        });
        Ok(record)
    }
}

/// Whether `text` is a time as records have it, so that texts can be compared.
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
