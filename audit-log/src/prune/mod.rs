//! Removal of old records, attested by a signed tombstone.
//!
//! - this file: [`prune`].
//! - `cut.rs`: selecting and verifying the records to remove.
//! - `sqlite.rs`, `json_lines.rs`: removing them.

mod cut;
mod json_lines;
mod sqlite;

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::checkpoint::Tombstone;
use crate::head::Head;
use crate::key::{PublicKey, SigningKey};
use crate::read::ReadError;
use crate::verify::Finding;
use crate::{Location, TimeBound};
use cut::Cut;

/// The removed records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// The first removed record.
    pub first: u64,
    /// The last removed record.
    pub last: u64,
}

/// An error of pruning.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log is damaged, and a tombstone would hide that.
    #[error(
        "the audit log `{location}` is damaged, and nothing was removed: {finding}; examine it \
         with `component-runner audit verify --audit {location}`"
    )]
    Damaged {
        /// The log.
        location: Location,
        /// The finding of the verification.
        finding: Box<Finding>,
    },
    /// The key is not that of the log.
    #[error(
        "the log is signed by the key {found}, not by {given}; name the file of its key with \
         `--key`"
    )]
    OtherKey {
        /// The key of the last checkpoint.
        found: Box<PublicKey>,
        /// The given key.
        given: Box<PublicKey>,
    },
    /// A server is writing the file.
    #[error(
        "a server is writing the audit log `{}`, and a file can be pruned only while no server \
         has it open; stop the server first, or keep the log in a database",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Another process pruned the log after the verification.
    #[error(
        "another process pruned the audit log `{}` at the same time; no other record was removed, \
         try again",
        path.display()
    )]
    Changed {
        /// The database.
        path: PathBuf,
    },
    /// An I/O error.
    #[error("cannot prune the audit log `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A database error.
    #[error("cannot prune the audit log `{}`", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
}

/// Removes the records at the beginning of the log that are older than `before`, up to the
/// first one that is not, but never the last record. Leaves a tombstone signed with `key`.
/// Returns the removed records, if any.
///
/// A database can be written at the same time, and is a valid log at every moment, also if
/// pruning is interrupted. A file must not be in use.
///
/// # Errors
///
/// Fails if the log cannot be read or written, or is damaged before the first record to keep.
/// Then nothing was removed, or, if writing a database failed midway, a part that has its
/// tombstone.
pub fn prune(
    location: &Location,
    before: &TimeBound,
    key: &SigningKey,
) -> Result<Option<Pruned>, PruneError> {
    match location {
        Location::Sqlite(path) => {
            let Some(cut) = Cut::find(location, before, key)? else {
                return Ok(None);
            };
            sqlite::remove(path, &cut, key)?;
            Ok(Some(cut.pruned()))
        }
        Location::JsonLines(path) => {
            let lock = json_lines::lock(path)?;
            let Some(cut) = Cut::find(location, before, key)? else {
                return Ok(None);
            };
            json_lines::remove(path, &lock, &cut, key)?;
            Ok(Some(cut.pruned()))
        }
        Location::Stdout | Location::None => Err(ReadError::NotKept(location.clone()).into()),
    }
}

/// The stored tombstone of the records of `cut` up to `last`.
fn tombstone(cut: &Cut, last: Head, key: &SigningKey) -> String {
    let removed = last.sequence - cut.base.sequence;
    let time = format!("{:.9}", Timestamp::now());
    Tombstone::sign(key, &cut.node, last.sequence, last.hash, removed, &time).line()
}
