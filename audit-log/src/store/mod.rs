//! Where records are written to.
//!
//! - `sqlite.rs`: a database; `schema.rs`: its tables; `lock.rs`: its one writer.
//! - `json_lines.rs`: a file, or standard output.
//! - `identity.rs`: whether a path still leads to the file that is written.

mod identity;
mod json_lines;
mod lock;
mod schema;
mod sqlite;

use std::io;
use std::path::{Path, PathBuf};

use sanitize::line;

use crate::hash::Hash;
use crate::key::PublicKey;
use crate::read::ReadError;
use crate::{Location, hash};
pub(crate) use json_lines::{RECORD_START, TOMBSTONE_START, complete_length};
pub(crate) use schema::Schema;

/// Takes records from the one thread that writes them.
pub(crate) trait Store: Send {
    /// Appends the records of `batch`, all or none. When this returns `Ok`, they
    /// are on the disk. After an error nothing may be appended before
    /// [`Store::reopen`] has succeeded: what the disk holds is not known.
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Checks that the files of the log are still where they were, and have everything
    /// that was written, as [`Store::append`] does. An error is one of that.
    fn check(&mut self) -> Result<(), StoreError>;

    /// Does what can wait until everybody has their receipt. An error does not
    /// concern the records that were appended.
    fn tidy(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Opens the store anew, takes off what was written after `head`, for which
    /// no receipt was given, and checks that the log ends with `head`.
    fn reopen(&mut self, head: Head) -> Result<(), StoreError>;
}

/// The last record of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its place; 0 if there is none yet.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Head {
    /// That of a log without records.
    pub const EMPTY: Self = Self {
        sequence: 0,
        hash: Hash::GENESIS,
    };
}

/// Records that follow each other, as they are written together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    first: u64,
    /// Each record and a line feed.
    text: Vec<u8>,
    /// Where each record ends.
    ends: Vec<usize>,
}

impl Batch {
    /// Empties the batch. The next record will have the sequence `first`.
    pub(crate) fn begin(&mut self, first: u64) {
        self.first = first;
        self.text.clear();
        self.ends.clear();
    }

    /// Adds the record that `write` appends to the buffer it gets. Returns the
    /// hash of the record.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Hash {
        let start = self.text.len();
        write(&mut self.text);
        let end = self.text.len();
        self.ends.push(end);
        let record = str::from_utf8(&self.text[start..end]).expect("JSON is text");
        let hash = hash::Hash::of(record);
        self.text.push(b'\n');
        hash
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All records, each with a line feed.
    pub(crate) fn lines(&self) -> &[u8] {
        &self.text
    }

    /// The records and their sequences.
    pub(crate) fn records(&self) -> impl Iterator<Item = (u64, &str)> {
        let starts = [0].into_iter().chain(self.ends.iter().map(|end| end + 1));
        let texts = starts
            .zip(&self.ends)
            .map(|(start, &end)| str::from_utf8(&self.text[start..end]).expect("JSON is text"));
        (self.first..).zip(texts)
    }
}

/// Why the store took nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{0}")]
    Other(String),
}

/// Why a log cannot be written to.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system does not allow it.
    #[error("cannot open the audit log `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The database cannot be used.
    #[error("cannot open the audit log `{}`", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
    /// Another process appends to it, and the two would break each other's chain.
    #[error(
        "another process writes to the audit log `{}`; name another file with `--audit`",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It holds something else, which must not be mixed with audit records.
    #[error(
        "`{}` is no audit log of this kind: {why}; name a new file, or the audit log of an \
         earlier run",
        path.display()
    )]
    NotALog {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        why: String,
    },
    /// Its end cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its end is damaged, and what follows would not be proof of anything.
    #[error(
        "the audit log `{location}` is damaged: {why}; look at it with `component-runner audit \
         verify --audit {location}`, keep it, and begin a new one with `--audit`"
    )]
    Damaged {
        /// The log.
        location: Location,
        /// What is wrong.
        why: String,
    },
    /// The log has another name than the one that was asked for.
    #[error(
        "the audit log `{location}` belongs to the node `{found}`, and cannot go on as \
         `{wanted}`; begin a new one with `--audit`, or leave out `--audit-node`"
    )]
    OtherNode {
        /// The log.
        location: Location,
        /// Its name.
        found: String,
        /// The name that was asked for.
        wanted: String,
    },
    /// The name that was asked for is not one.
    #[error(
        "`{}` cannot be the name of a log; expected 1 to 64 letters, digits, `-` or `_`",
        line(.0)
    )]
    Node(String),
    /// The log lacks a record of which there is a checkpoint elsewhere.
    #[error(
        "the audit log `{location}` is not the one of which checkpoints were copied to `{}`: the \
         last one is of record {sequence}, signed at {}, and {found}; the log was rolled back \
         to an older copy or replaced. Put the right one back, or keep both files for \
         `component-runner audit verify`, and begin a new log with `--audit`, under another name \
         (`--audit-node`)",
        copies.display(),
        line(time)
    )]
    RolledBack {
        /// The log.
        location: Location,
        /// The file with the copies.
        copies: PathBuf,
        /// The record that was signed.
        sequence: u64,
        /// When it was signed.
        time: String,
        /// What is there instead.
        found: String,
    },
    /// The log was signed, and its key is missing.
    #[error(
        "the key `{}` is not there, and the audit log `{location}` was signed with {signer}; put \
         it back, or make another one with `openssl genpkey -algorithm ed25519`, which the log \
         records as `key-changed`",
        path.display()
    )]
    KeyMissing {
        /// The log.
        location: Location,
        /// The file of the key.
        path: PathBuf,
        /// The key that signed last.
        signer: Box<PublicKey>,
    },
    /// The key for checkpoints is missing.
    #[error(transparent)]
    Key(#[from] crate::key::KeyError),
    /// The folder for copies of checkpoints cannot be used.
    #[error("cannot write checkpoints to `{}`", path.display())]
    Copies {
        /// The folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The system gives no thread, or no random numbers.
    #[error("cannot start the audit log")]
    Start(#[source] io::Error),
    /// The first record could not be written.
    #[error("cannot write to the audit log `{location}`: {why}")]
    Write {
        /// The log.
        location: Location,
        /// The reason.
        why: String,
    },
}

/// The path of a database in a form that SQLite takes for nothing else, such as the
/// name of a database in memory.
pub(crate) fn database_path(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| Path::new(".").join(path))
}

/// Opens the store at `location` for writing, and makes it if it is not there.
/// Returns it and how many bytes of an unfinished record it took off the end.
pub(crate) fn open(location: &Location) -> Result<(Box<dyn Store>, u64), OpenError> {
    Ok(match location {
        Location::Sqlite(path) => (Box::new(sqlite::Sqlite::open(path)?), 0),
        Location::JsonLines(path) => {
            let (store, torn_bytes) = json_lines::JsonLines::open(path)?;
            (Box::new(store), torn_bytes)
        }
        Location::Stdout => (Box::new(json_lines::JsonLines::stdout()), 0),
        Location::None => return Err(ReadError::NotKept(location.clone()).into()),
    })
}
