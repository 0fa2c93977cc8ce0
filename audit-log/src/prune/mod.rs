//! Removing old records, and signing that this was done.
//!
//! - this file: [`prune`].
//! - `cut.rs`: which records are old, and whether they are as they were written.
//! - `sqlite.rs`, `json_lines.rs`: taking them away.

mod cut;
mod json_lines;
mod sqlite;

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::checkpoint::Tombstone;
use crate::key::{PublicKey, SigningKey};
use crate::read::ReadError;
use crate::store::Head;
use crate::verify::Finding;
use crate::{Location, Moment};
use cut::Cut;

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// The first record that was removed.
    pub first: u64,
    /// The last one.
    pub last: u64,
}

/// Why records were not removed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log is not what was written, and a tombstone would hide that.
    #[error(
        "the audit log `{location}` is damaged, and nothing was removed: {finding}; look at it \
         with `component-runner audit verify --audit {location}`"
    )]
    Damaged {
        /// The log.
        location: Location,
        /// What is wrong.
        finding: Box<Finding>,
    },
    /// The key is of another log.
    #[error(
        "the log is signed by the key {found}, and this one is {given}; name the file of the \
         right one with `--key`"
    )]
    OtherKey {
        /// Who signed the last checkpoint.
        found: Box<PublicKey>,
        /// Who would sign the tombstone.
        given: Box<PublicKey>,
    },
    /// A server writes the log.
    #[error(
        "a server writes to the audit log `{}`, and records of a file can be removed only while \
         none does; stop it first, or keep the log in a database",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The log is not the one that was checked.
    #[error(
        "the audit log `{}` was pruned by somebody else at the same time; nothing of it is lost \
         that was not pruned, try again",
        path.display()
    )]
    Changed {
        /// The database.
        path: PathBuf,
    },
    /// The system does not allow it.
    #[error("cannot prune the audit log `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The database cannot be written.
    #[error("cannot prune the audit log `{}`", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
}

/// Removes the longest row of records from the beginning of the log that are all
/// older than `before`, but never the last record. Leaves a tombstone, signed with
/// `key`. Returns what was removed, if there was something to remove.
///
/// A database can be written meanwhile, and is a valid log at every moment, also
/// if this is interrupted. A file must not be in use.
///
/// # Errors
///
/// Fails if the log cannot be read or written, or is damaged before the first
/// record that would stay. Then nothing was removed, or, if a database could not
/// be written in the middle, a part of it, which has its tombstone.
pub fn prune(
    location: &Location,
    before: &Moment,
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

/// The line of the tombstone of the records of `cut` up to `last`.
fn tombstone(cut: &Cut, last: Head, key: &SigningKey) -> String {
    let removed = last.sequence - cut.base.sequence;
    let time = format!("{:.9}", Timestamp::now());
    Tombstone::sign(key, &cut.node, last.sequence, last.hash, removed, &time).line()
}
