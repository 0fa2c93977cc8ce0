//! The storage backends.
//!
//! - `sqlite.rs`: a database, with the tables of `crate::schema`; `lock.rs`: its writer lock.
//! - `json_lines.rs`: a file, or standard output.
//! - `identity.rs`: detection of files that were replaced or truncated.

mod identity;
mod json_lines;
mod lock;
mod sqlite;

use std::io;
use std::path::PathBuf;

use sanitize::line;

use crate::Location;
use crate::hash::Hash;
use crate::head::Head;
use crate::key::PublicKey;
use crate::read::ReadError;
pub(crate) use json_lines::complete_length;

/// A storage backend, used by the writer thread.
pub(crate) trait Store: Send {
    /// Appends the records of `batch`, all or none. On `Ok` they are durable. After an error the
    /// state of the disk is unknown, and nothing may be appended before [`Store::reopen`] has
    /// succeeded.
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Checks, like [`Store::append`], that the files of the log are in place and complete. An
    /// error counts as a failed append.
    fn check(&mut self) -> Result<(), StoreError>;

    /// Checkpoints the write-ahead log, after all receipts were delivered. An error does not
    /// affect appended records.
    fn checkpoint_wal(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Reopens the store, and removes the records after `head`, which have no receipt.
    fn reopen(&mut self, head: Head) -> Result<(), StoreError>;
}

/// Consecutive records that are written together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    first: u64,
    /// The records, each with a line feed.
    text: Vec<u8>,
    /// The end of each record in `text`.
    ends: Vec<usize>,
}

impl Batch {
    /// Clears the batch. The next record has the sequence `first`.
    pub(crate) fn begin(&mut self, first: u64) {
        self.first = first;
        self.text.clear();
        self.ends.clear();
    }

    /// Adds the record that `write` appends to its buffer. Returns the hash of the record.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Hash {
        let start = self.text.len();
        write(&mut self.text);
        let end = self.text.len();
        self.ends.push(end);
        let record = str::from_utf8(&self.text[start..end]).expect("JSON is UTF-8");
        let hash = Hash::of(record);
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
            .map(|(start, &end)| str::from_utf8(&self.text[start..end]).expect("JSON is UTF-8"));
        (self.first..).zip(texts)
    }
}

/// An error of a storage backend.
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

/// An error of opening a log for writing.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// An I/O error.
    #[error("cannot open the audit log `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A database error.
    #[error("cannot open the audit log `{}`", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
    /// Another process writes the log; two writers would break the chain.
    #[error(
        "another process writes to the audit log `{}`; name another file with `--audit`",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a log.
    #[error(
        "`{}` is not an audit log of this kind: {reason}; name a new file, or the audit log of an \
         earlier run",
        path.display()
    )]
    NotALog {
        /// The file.
        path: PathBuf,
        /// The difference found.
        reason: String,
    },
    /// The end of the log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log is damaged, and records appended to it would not be proof of anything.
    #[error(
        "the audit log `{location}` is damaged: {reason}; examine it with `component-runner audit \
         verify --audit {location}`, keep it, and start a new one with `--audit`"
    )]
    Damaged {
        /// The log.
        location: Location,
        /// The damage.
        reason: String,
    },
    /// The log has another name than the requested one.
    #[error(
        "the audit log `{location}` belongs to the node `{found}` and cannot continue as \
         `{wanted}`; start a new one with `--audit`, or omit `--audit-node`"
    )]
    OtherNode {
        /// The log.
        location: Location,
        /// Its name.
        found: String,
        /// The requested name.
        wanted: String,
    },
    /// The requested name is invalid.
    #[error(
        "invalid name of a log `{}`; expected 1 to 64 letters, digits, `-` or `_`",
        line(.0)
    )]
    Node(String),
    /// The log lacks the record of a copied checkpoint.
    #[error(
        "the audit log `{location}` does not match the checkpoints copied to `{}`: the last one \
         is of record {sequence}, signed at {}, and {found}; the log was rolled back to an older \
         copy or replaced. Restore the original, or keep both files for `component-runner audit \
         verify` and start a new log with `--audit`, under another name (`--audit-node`)",
        copies.display(),
        line(time)
    )]
    RolledBack {
        /// The log.
        location: Location,
        /// The file with the copies.
        copies: PathBuf,
        /// The signed record.
        sequence: u64,
        /// The time of signing.
        time: String,
        /// The difference found.
        found: String,
    },
    /// The key of a signed log is missing.
    #[error(
        "the key `{}` is missing, and the audit log `{location}` was signed with {signer}; \
         restore it, or create another one with `openssl genpkey -algorithm ed25519`, which the \
         log records as `key-changed`",
        path.display()
    )]
    KeyMissing {
        /// The log.
        location: Location,
        /// The file of the key.
        path: PathBuf,
        /// The key of the last signature.
        signer: Box<PublicKey>,
    },
    /// The key for checkpoints cannot be used.
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
    /// No thread or no random numbers are available.
    #[error("cannot start the audit log")]
    Start(#[source] io::Error),
    /// The first record could not be written.
    #[error("cannot write to the audit log `{location}`: {reason}")]
    Write {
        /// The log.
        location: Location,
        /// The reason.
        reason: String,
    },
}

/// Opens or creates the store at `location`. Returns it and the number of bytes of an unfinished
/// record that were removed from its end.
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
