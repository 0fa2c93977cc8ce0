//! Reading the records of a database.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OptionalExtension};

use super::connect::{DatabaseConnection, connect, lacks_write_ahead_log};
use super::{Line, ReadError, Start};
use crate::checkpoint::Tombstone;
use crate::schema::Schema;

/// The number of records fetched at once. No lock is held between two pages.
const PAGE_RECORDS: i64 = 1024;

#[derive(Debug)]
pub(super) struct Sqlite {
    path: PathBuf,
    schema: Schema,
    connected: DatabaseConnection,
    /// Whether the write-ahead log was missing or empty at opening.
    lacks_write_ahead_log: bool,
    /// Whether the reader is fixed to one state of the log.
    is_snapshot: bool,
    /// The sequence of the last returned record.
    last: i64,
    /// The sequence before the first record.
    base: i64,
    /// The fetched page: keys, and the ranges of the records in `text`.
    page: std::vec::IntoIter<(i64, Range<usize>)>,
    text: Vec<u8>,
}

impl Sqlite {
    /// Opens the database at `path`, with a connection that `connect` makes.
    pub(super) fn open(
        path: &Path,
        start: Start,
        connect: fn(&Path) -> rusqlite::Result<DatabaseConnection>,
    ) -> Result<Self, ReadError> {
        let fail = |source: rusqlite::Error| error(path, source);
        // Opening a pipe would block. A folder is an error of SQLite.
        if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return Err(ReadError::NotALog {
                path: path.to_owned(),
                reason: "not a regular file".to_owned(),
            });
        }
        // Before SQLite creates an empty one.
        let lacks_write_ahead_log = lacks_write_ahead_log(path);
        let connected = connect(path).map_err(fail)?;
        let connection = &connected.connection;
        let schema = Schema::of(connection).map_err(fail)?;
        let schema = schema.map_err(|reason| ReadError::NotALog {
            path: path.to_owned(),
            reason,
        })?;

        let first = connection
            .query_row("SELECT min(sequence) FROM records", (), |row| {
                row.get::<_, Option<i64>>(0)
            })
            .map_err(fail)?;
        let base = first.map_or(0, |first| first.saturating_sub(1));
        let last = match start {
            Start::First => base,
            Start::After(sequence) => i64::try_from(sequence).unwrap_or(i64::MAX).max(base),
            Start::Last(count) => {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                let before = "SELECT sequence FROM records ORDER BY sequence DESC LIMIT 1 OFFSET ?";
                connection
                    .query_row(before, [count], |row| row.get(0))
                    .optional()
                    .map_err(fail)?
                    .unwrap_or(base)
            }
        };
        Ok(Self {
            path: path.to_owned(),
            schema,
            connected,
            lacks_write_ahead_log,
            is_snapshot: false,
            last,
            base,
            page: Vec::new().into_iter(),
            text: Vec::new(),
        })
    }

    fn connection(&self) -> &Connection {
        &self.connected.connection
    }

    pub(super) fn snapshot(&mut self) -> Result<(), ReadError> {
        self.is_snapshot = true;
        // The transaction begins with its first read.
        self.connection()
            .execute_batch("BEGIN")
            .and_then(|()| {
                self.connection()
                    .query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(()))
            })
            .map_err(|source| error(&self.path, source))
    }

    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        if self.page.as_slice().is_empty() {
            self.fetch().map_err(|source| error(&self.path, source))?;
        }
        // A server may have started to write a database that was opened as immutable.
        if self.page.as_slice().is_empty() && self.connected.misses_changes && !self.is_snapshot {
            self.connected = connect(&self.path).map_err(|source| error(&self.path, source))?;
            self.fetch().map_err(|source| error(&self.path, source))?;
        }
        Ok(self.page.next().map(|(sequence, range)| {
            self.last = sequence;
            Line {
                key: Some(sequence.cast_unsigned()),
                bytes: &self.text[range],
                position: sequence.abs_diff(self.base),
            }
        }))
    }

    fn fetch(&mut self) -> rusqlite::Result<()> {
        self.text.clear();
        let mut page = Vec::new();
        let mut statement = self.connected.connection.prepare_cached(
            "SELECT sequence, record FROM records WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
        )?;
        let mut rows = statement.query((self.last, PAGE_RECORDS))?;
        while let Some(row) = rows.next()? {
            let start = self.text.len();
            match row.get_ref(1)? {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => self.text.extend_from_slice(bytes),
                // Not a record; parsing it reports the error.
                ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => {}
            }
            page.push((row.get(0)?, start..self.text.len()));
        }
        self.page = page.into_iter();
        Ok(())
    }

    pub(super) fn tombstones(&mut self) -> Result<Vec<Vec<u8>>, ReadError> {
        let query = || {
            let mut statement = self
                .connection()
                .prepare("SELECT tombstone FROM tombstones ORDER BY sequence")?;
            let rows = statement.query_map((), |row| {
                Ok(row.get_ref(0)?.as_bytes().unwrap_or_default().to_vec())
            })?;
            rows.collect::<Result<_, _>>()
        };
        query().map_err(|source| error(&self.path, source))
    }

    pub(super) fn size(&mut self) -> Result<u64, ReadError> {
        let last: Option<i64> = self
            .connection()
            .query_row("SELECT max(sequence) FROM records", (), |row| row.get(0))
            .map_err(|source| error(&self.path, source))?;
        Ok(last.map_or(0, |last| last.abs_diff(self.base)))
    }

    /// See [`Reader::may_be_incomplete`](super::Reader::may_be_incomplete).
    pub(super) fn may_be_incomplete(&self) -> Result<bool, ReadError> {
        if !self.lacks_write_ahead_log {
            return Ok(false);
        }
        // The checkpoint of a stop follows it as the last record.
        let query = "SELECT count(*) FROM (SELECT record FROM records ORDER BY sequence DESC \
                     LIMIT 2) WHERE instr(record, '\"event\":{\"type\":\"server-stop\"}') > 0";
        let has_stopped: bool = self
            .connection()
            .query_row(query, (), |row| row.get(0))
            .map_err(|source| error(&self.path, source))?;
        Ok(!has_stopped)
    }

    /// Lets SQLite check the structure of its file, and compares the schema: a changed schema
    /// could show columns that do not match the records.
    pub(super) fn check(&mut self) -> Result<Option<String>, ReadError> {
        let fail = |source| error(&self.path, source);
        let result: String = self
            .connection()
            .query_row("PRAGMA quick_check(1)", (), |row| row.get(0))
            .map_err(fail)?;
        if result != "ok" {
            return Ok(Some(format!("the database is damaged: {result}")));
        }
        let is_unchanged = self.schema.is_that_of(self.connection()).map_err(fail)?;
        if !is_unchanged {
            return Ok(Some("the schema of the database was changed".to_owned()));
        }
        self.check_keys().map_err(fail)
    }

    /// Checks for rows under keys that no reader queries.
    fn check_keys(&self) -> rusqlite::Result<Option<String>> {
        let first = "SELECT min(sequence) FROM records";
        let first: Option<i64> = self.connection().query_row(first, (), |row| row.get(0))?;
        if let Some(first) = first.filter(|&first| first < 1) {
            return Ok(Some(format!(
                "invalid key {first} of a record; the first key is 1"
            )));
        }
        let mut statement = self
            .connection()
            .prepare("SELECT sequence, tombstone FROM tombstones")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let key: i64 = row.get(0)?;
            let line = row.get_ref(1)?.as_bytes().unwrap_or_default();
            let named = Tombstone::from_line(line).map(|tombstone| tombstone.sequence);
            if named.is_some_and(|named| named != key.cast_unsigned()) {
                return Ok(Some(format!(
                    "the key {key} of a tombstone is not the sequence that it names"
                )));
            }
        }
        Ok(None)
    }
}

fn error(path: &Path, source: rusqlite::Error) -> ReadError {
    let path = path.to_owned();
    if source.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
        let reason = "not an SQLite database".to_owned();
        return ReadError::NotALog { path, reason };
    }
    ReadError::Sqlite { path, source }
}
