//! Reading a log, also while a server writes it.
//!
//! - this file: [`Reader`], the same for both storage backends.
//! - `sqlite.rs`: reading a database, `connect.rs`: opening it.
//! - `json_lines.rs`: reading a file, `input.rs`: its bytes.

mod connect;
mod input;
mod json_lines;
mod sqlite;

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use sanitize::line;

use crate::Location;
use crate::record::RECORD_START;
use connect::{DatabaseConnection, connect, connect_without_side_files};
pub(crate) use input::is_other_file;
use json_lines::JsonLines;
use sqlite::Sqlite;

/// A cursor over the records of a log, in stored order.
///
/// At the end of the log it returns no record, and later those that were added since, also if
/// the log was pruned in the meantime.
#[derive(Debug)]
pub struct Reader(Source);

#[derive(Debug)]
enum Source {
    Sqlite(Sqlite),
    JsonLines(JsonLines),
}

/// The first record to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The first stored record.
    First,
    /// The record after this sequence.
    After(u64),
    /// The last records, in this number.
    Last(u64),
}

/// A stored record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The key in a database, where the sequence is stored separately.
    pub key: Option<u64>,
    /// The canonical bytes, which are UTF-8 unless the log is damaged.
    pub bytes: &'a [u8],
    /// The end of the record: in bytes from the beginning of a file, or in records from that
    /// of a database. See [`Reader::size`].
    pub position: u64,
}

impl Line<'_> {
    /// The key, or the sequence in the first bytes of the record, without parsing the rest.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        self.key.or_else(|| sequence_of(self.bytes))
    }
}

fn sequence_of(record: &[u8]) -> Option<u64> {
    let rest = record.strip_prefix(RECORD_START)?;
    let digits = |bytes: &[u8]| {
        bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let rest = rest[digits(rest)..].strip_prefix(b",\"sequence\":")?;
    str::from_utf8(&rest[..digits(rest)]).ok()?.parse().ok()
}

/// An error of reading a log.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// An I/O error.
    #[error("cannot read the audit log `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A database error.
    #[error("cannot read the audit log `{}`", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
    /// The file is not a log.
    #[error("`{}` is not an audit log of this kind: {}", path.display(), line(reason))]
    NotALog {
        /// The file.
        path: PathBuf,
        /// The difference found.
        reason: String,
    },
    /// The log has no storage.
    #[error("the audit log `{0}` cannot be read; name one with sqlite:PATH or jsonl:PATH")]
    NotKept(Location),
}

impl ReadError {
    /// Whether the log is damaged, and not merely inaccessible.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } => !matches!(
                source.sqlite_error_code(),
                Some(
                    ErrorCode::CannotOpen
                        | ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::DiskFull
                        | ErrorCode::OutOfMemory
                        | ErrorCode::PermissionDenied
                        | ErrorCode::ReadOnly
                        | ErrorCode::SystemIoFailure
                )
            ),
            Self::NotALog { .. } => true,
            Self::Io { .. } | Self::NotKept(_) => false,
        }
    }
}

impl Reader {
    /// Opens the log at `location` for reading.
    ///
    /// # Errors
    ///
    /// Fails if the log is missing, cannot be read, or is not a log.
    pub fn open(location: &Location, start: Start) -> Result<Self, ReadError> {
        Self::open_with(location, start, connect)
    }

    /// Opens the log without letting SQLite create its files for readers. For short use: the
    /// reader does not see a writer that starts in the meantime.
    pub(crate) fn open_without_side_files(
        location: &Location,
        start: Start,
    ) -> Result<Self, ReadError> {
        Self::open_with(location, start, connect_without_side_files)
    }

    fn open_with(
        location: &Location,
        start: Start,
        connect: fn(&Path) -> rusqlite::Result<DatabaseConnection>,
    ) -> Result<Self, ReadError> {
        let source = match location {
            Location::Sqlite(path) => Source::Sqlite(Sqlite::open(path, start, connect)?),
            Location::JsonLines(path) => Source::JsonLines(JsonLines::open(path, start)?),
            Location::Stdout | Location::None => {
                return Err(ReadError::NotKept(location.clone()));
            }
        };
        Ok(Self(source))
    }

    /// Reads a log in memory: tombstones and records, each with a line feed.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Source::JsonLines(JsonLines::from_bytes(bytes)))
    }

    /// Fixes the reader to the current state of the log, regardless of later writes and
    /// pruning. For short use: the write-ahead log of a database grows until this reader is
    /// dropped.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub fn snapshot(&mut self) -> Result<(), ReadError> {
        match &mut self.0 {
            Source::Sqlite(source) => source.snapshot(),
            // A server only appends to the file, and pruning replaces it by another one.
            Source::JsonLines(source) => {
                source.snapshot();
                Ok(())
            }
        }
    }

    /// The next record, if there is one.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read.
    #[expect(
        clippy::should_implement_trait,
        reason = "the trait cannot return borrowed items"
    )]
    pub fn next(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        match &mut self.0 {
            Source::Sqlite(source) => source.next(),
            Source::JsonLines(source) => source.next(),
        }
    }

    /// The stored tombstones, oldest first.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read.
    pub fn tombstones(&mut self) -> Result<Vec<Vec<u8>>, ReadError> {
        match &mut self.0 {
            Source::Sqlite(source) => source.tombstones(),
            Source::JsonLines(source) => Ok(source.tombstones().to_vec()),
        }
    }

    /// [`Line::position`] at the current end of the log, for progress reports.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read.
    pub fn size(&mut self) -> Result<u64, ReadError> {
        match &mut self.0 {
            Source::Sqlite(source) => source.size(),
            Source::JsonLines(source) => source.size(),
        }
    }

    /// At the end of the log: the number of bytes of an unfinished record that no server is
    /// writing.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read.
    pub fn unfinished_bytes(&self) -> Result<u64, ReadError> {
        match &self.0 {
            Source::Sqlite(_) => Ok(0),
            Source::JsonLines(source) => source.unfinished_bytes(),
        }
    }

    /// Whether a server has the file of this log open for writing. Unknown for a database.
    pub(crate) fn has_writer(&self) -> Result<bool, ReadError> {
        match &self.0 {
            Source::Sqlite(_) => Ok(false),
            Source::JsonLines(source) => source.has_writer(),
        }
    }

    /// Whether the newest records may be missing: the database has no write-ahead log
    /// (`…-wal`), as after a stop, but its last event is not a stop. So it may have been copied
    /// without that file while a server wrote it.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read.
    pub fn may_be_incomplete(&self) -> Result<bool, ReadError> {
        match &self.0 {
            Source::Sqlite(source) => source.may_be_incomplete(),
            Source::JsonLines(_) => Ok(false),
        }
    }

    /// Checks the storage for damage, apart from the records. Returns a description of the
    /// damage.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read.
    pub fn check_container(&mut self) -> Result<Option<String>, ReadError> {
        match &mut self.0 {
            Source::Sqlite(source) => source.check(),
            Source::JsonLines(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_of_a_record_is_read_without_parsing_the_rest() {
        let record = br#"{"host":{"version":1,"sequence":42,"previous":"00"#;
        assert_eq!(sequence_of(record), Some(42));
        for other in [
            &b"{\"host\":{\"version\":1}"[..],
            b"{\"host\":{\"version\":1,\"sequence\":}",
            b"",
            b"{}",
        ] {
            assert_eq!(sequence_of(other), None);
        }
    }
}
