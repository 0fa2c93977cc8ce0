//! Reading a log, also while somebody writes it.
//!
//! - this file: [`Reader`], which looks the same for every kind of log.
//! - `sqlite.rs`: a database, `connect.rs`: how it is opened.
//! - `json_lines.rs`: a file, `input.rs`: its bytes.

mod connect;
mod input;
mod json_lines;
mod sqlite;

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use sanitize::line;

use crate::Location;
use crate::store::RECORD_START;
use connect::{Connected, connect, connect_untouched};
pub(crate) use input::is_other_file;
use json_lines::JsonLines;
use sqlite::Sqlite;

/// Gives the records of a log, in the order in which they are stored.
///
/// At the end of the log it gives none, and later those that were added since, also
/// if the log was pruned meanwhile.
#[derive(Debug)]
pub struct Reader(Source);

#[derive(Debug)]
enum Source {
    Sqlite(Sqlite),
    JsonLines(JsonLines),
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the first record that is there.
    First,
    /// After the record with this sequence.
    After(u64),
    /// With the last records, so many.
    Last(u64),
}

/// One record, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The sequence under which it is stored, where that is kept apart from the
    /// record.
    pub key: Option<u64>,
    /// The canonical bytes. They are text unless the log is damaged.
    pub bytes: &'a [u8],
    /// Where it ends, in bytes from the beginning of the log, or the number of
    /// records before its end: see [`Reader::size`].
    pub position: u64,
}

impl Line<'_> {
    /// The sequence under which it is stored, or the one that the record names in its first
    /// bytes, without reading the rest.
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

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system does not allow it.
    #[error("cannot read the audit log `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The database cannot be read.
    #[error("cannot read the audit log `{}`", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
    /// It is something else.
    #[error("`{}` is no audit log of this kind: {}", path.display(), line(why))]
    NotALog {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        why: String,
    },
    /// There is nothing to read.
    #[error("the audit log `{0}` cannot be read; name one with sqlite:PATH or jsonl:PATH")]
    NotKept(Location),
}

impl ReadError {
    /// Whether the log is damaged, and not only out of reach.
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
    /// Fails if it is not there, cannot be read, or is something else.
    pub fn open(location: &Location, start: Start) -> Result<Self, ReadError> {
        Self::open_with(location, start, connect)
    }

    /// The same, but SQLite makes no files for readers beside the log. It is for a moment:
    /// a writer that starts meanwhile is not noticed.
    pub(crate) fn open_untouched(location: &Location, start: Start) -> Result<Self, ReadError> {
        Self::open_with(location, start, connect_untouched)
    }

    fn open_with(
        location: &Location,
        start: Start,
        connect: fn(&Path) -> rusqlite::Result<Connected>,
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

    /// From now on shows the log as it is now, whatever is written or pruned
    /// meanwhile. It is not for long: a database that is written grows until this
    /// reader is dropped.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub fn hold(&mut self) -> Result<(), ReadError> {
        match &mut self.0 {
            Source::Sqlite(source) => source.hold(),
            // Nobody changes what a file begins with while it is written: who
            // prunes it puts another one in its place.
            Source::JsonLines(source) => {
                source.hold();
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
        reason = "the trait cannot lend what it gives"
    )]
    pub fn next(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        match &mut self.0 {
            Source::Sqlite(source) => source.next(),
            Source::JsonLines(source) => source.next(),
        }
    }

    /// The tombstones, as they are stored, oldest first.
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

    /// What [`Line::position`] is at the end of the log as it is now, for showing
    /// how far a reader is.
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

    /// At the end of the log: how many bytes of an unfinished record follow, which
    /// nobody is writing.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read.
    pub fn unfinished(&self) -> Result<u64, ReadError> {
        match &self.0 {
            Source::Sqlite(_) => Ok(0),
            Source::JsonLines(source) => source.unfinished(),
        }
    }

    /// Whether a server has the file of this log open for writing. A database says nothing
    /// of that.
    pub(crate) fn is_written(&self) -> Result<bool, ReadError> {
        match &self.0 {
            Source::Sqlite(_) => Ok(false),
            Source::JsonLines(source) => source.is_written(),
        }
    }

    /// Whether the newest records may be missing: this is a database without its
    /// write-ahead log (`…-wal`), as it is after a server that stopped, but the last
    /// record is not that of a stop. So it may have been copied alone, while a server
    /// wrote it.
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

    /// Looks for damage of the container of the records, apart from the records.
    /// Returns what it found.
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
    fn the_sequence_is_read_without_the_rest() {
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
