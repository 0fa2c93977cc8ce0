//! A log in an SQLite database, which every program that knows SQLite can query
//! while it is written.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::schema::{APPLICATION_ID, LATEST, Schema};
use super::{Batch, Head, OpenError, Store, StoreError};
use crate::key::sync_folder_of;

/// How long another program may hold the database, such as `audit prune`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long it may do so while a log that failed is opened anew.
const REOPEN_TIMEOUT: Duration = Duration::from_millis(250);

/// How many pages of 4 KiB the write-ahead log has before they are moved to the
/// database.
const WAL_PAGES: i64 = 1024;

pub(super) struct Sqlite {
    path: PathBuf,
    /// None while it is opened anew.
    connection: Option<Connection>,
    /// Pages in the write-ahead log that are not yet in the database, about.
    wal_pages: i64,
    /// Keeps other writers away.
    _lock: File,
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let io_error = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        let lock = lock(path)?;
        // Before SQLite makes it, because SQLite would let others read it.
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(io_error)?;
        let metadata = file.metadata().map_err(io_error)?;
        // SQLite takes a file that is too short for its header for an empty one.
        let why = match metadata.len() {
            _ if !metadata.is_file() => Some("it is no regular file"),
            1..100 => Some("it is no SQLite database"),
            _ => None,
        };
        if let Some(why) = why {
            return Err(OpenError::NotALog {
                path: path.to_owned(),
                why: why.to_owned(),
            });
        }
        drop(file);
        sync_folder_of(path).map_err(io_error)?;

        let sqlite_error = |source| OpenError::Sqlite {
            path: path.to_owned(),
            source,
        };
        let connection = connect(path).map_err(|error| not_a_log(path, error))?;
        let schema = prepare(&connection).map_err(sqlite_error)?;
        schema.map_err(|why| {
            let path = path.to_owned();
            OpenError::NotALog { path, why }
        })?;
        // What a crash has left. If somebody reads it at the moment, it can wait.
        empty_write_ahead_log(&connection).map_err(sqlite_error)?;
        Ok(Self {
            path: path.to_owned(),
            connection: Some(connection),
            wal_pages: 0,
            _lock: lock,
        })
    }

    fn insert(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let closed = || StoreError::Other("the database is closed".to_owned());
        let connection = self.connection.as_mut().ok_or_else(closed)?;
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO records (sequence, record) VALUES (?1, ?2)")?;
            for (sequence, record) in batch.records() {
                insert.execute((sequence.cast_signed(), record))?;
            }
        }
        transaction.commit()?;
        // A batch fills its pages, and touches one or two beside them.
        self.wal_pages += i64::try_from(batch.lines().len() / 4096).unwrap_or(WAL_PAGES) + 2;
        Ok(())
    }
}

impl Store for Sqlite {
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let result = self.insert(batch);
        if result.is_err() {
            // Whatever the pages in memory say, the disk may say something else.
            self.connection = None;
        }
        result
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        if self.wal_pages < WAL_PAGES {
            return Ok(());
        }
        self.wal_pages = 0;
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        // Fails, too, where the disk does: then the records stay where they are.
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))?;
        Ok(())
    }

    fn reopen(&mut self, head: Head) -> Result<(), StoreError> {
        self.connection = None;
        let connection = connect(&self.path)?;
        connection.busy_timeout(REOPEN_TIMEOUT)?;
        let sequence = head.sequence.cast_signed();
        connection.execute("DELETE FROM records WHERE sequence > ?1", [sequence])?;
        // After a failed fsync the system may take pages for written that are not.
        // This writes them once more, into the database, and begins a new
        // write-ahead log.
        if !empty_write_ahead_log(&connection)? {
            let why = "another program reads the write-ahead log, which must be emptied";
            return Err(StoreError::Other(why.to_owned()));
        }
        self.wal_pages = 0;
        self.connection = Some(connection);
        Ok(())
    }
}

/// Takes the lock that all writers of this database share.
fn lock(path: &Path) -> Result<File, OpenError> {
    let io_error = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // SQLite has locks on the database itself, which must not be disturbed.
    let lock = options
        .open(path.with_added_extension("lock"))
        .map_err(io_error)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::Error(source)) => Err(io_error(source)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            path: path.to_owned(),
        }),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // `tidy` does it instead, when nobody waits for a receipt.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

/// Moves everything to the database, unless somebody reads at the moment. Whoever
/// waits for a receipt waits for this, so it does not wait long.
fn empty_write_ahead_log(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(REOPEN_TIMEOUT)?;
    let busy: bool =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get(0))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(!busy)
}

fn not_a_log(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) {
        let why = "it is no SQLite database".to_owned();
        return OpenError::NotALog { path, why };
    }
    OpenError::Sqlite {
        path,
        source: error,
    }
}

/// Makes the tables in an empty database, or finds out that this is a log already.
fn prepare(connection: &Connection) -> rusqlite::Result<Result<Schema, String>> {
    let number = |query| connection.query_row(query, (), |row| row.get::<_, i64>(0));
    let is_new = number("SELECT count(*) FROM sqlite_schema")? == 0
        && number("PRAGMA application_id")? == 0
        && number("PRAGMA user_version")? == 0;
    if is_new {
        let Schema { version, sql } = LATEST;
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {sql}
             PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {version};
             COMMIT;"
        ))?;
    }
    Schema::of(connection)
}
