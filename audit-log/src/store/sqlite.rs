//! The SQLite backend. Other programs can query the database while it is written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::identity::FileIdentity;
use super::lock::WriterLock;
use super::{Batch, OpenError, Store, StoreError};
use crate::head::Head;
use crate::location::database_path;
use crate::schema::{APPLICATION_ID, LATEST, Schema};

/// Timeout for the database lock of another program, such as `audit prune`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The same timeout while a failed log is reopened.
const REOPEN_TIMEOUT: Duration = Duration::from_millis(250);

/// The number of pages of 4 KiB in the write-ahead log that triggers a checkpoint.
const WAL_PAGES: i64 = 1024;

/// The size to which SQLite truncates the write-ahead log when it restarts it, after a reader
/// that had prevented the restart has ended. Each page has a header of 24 bytes there.
const WAL_BYTES: i64 = WAL_PAGES * (4096 + 24);

pub(super) struct Sqlite {
    path: PathBuf,
    /// None while the log is reopened.
    connection: Option<Connection>,
    /// The database, its write-ahead log and the index of that, as they were opened.
    files: Vec<FileIdentity>,
    schema: Schema,
    /// The counter that SQLite increments with each schema change. None if the schema must be
    /// compared.
    schema_cookie: Option<i64>,
    /// The approximate number of pages in the write-ahead log that are not in the database.
    wal_pages: i64,
    /// The writer lock, dropped after the connection.
    lock: WriterLock,
}

/// The error of a database whose schema was changed.
const CHANGED_SCHEMA: &str = "another program changed its schema (such as a trigger, a view or \
     an index); `.schema` of sqlite3 shows it";

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let path = &database_path(path);
        let lock = WriterLock::acquire(path)?;
        let sqlite_error = |source| OpenError::Sqlite {
            path: path.to_owned(),
            source,
        };
        let connection = connect(path).map_err(|error| not_a_log(path, error))?;
        let schema = prepare(&connection).map_err(sqlite_error)?;
        let not_a_log = |reason| {
            let path = path.to_owned();
            OpenError::NotALog { path, reason }
        };
        let schema = schema.map_err(not_a_log)?;
        if !schema.is_that_of(&connection).map_err(sqlite_error)? {
            return Err(not_a_log(CHANGED_SCHEMA.to_owned()));
        }
        // Moves the records that a crash has left. With a concurrent reader this can wait.
        truncate_wal(&connection).map_err(sqlite_error)?;
        let mut log = Self {
            path: path.to_owned(),
            connection: Some(connection),
            files: Vec::new(),
            schema,
            schema_cookie: None,
            // The first records of a boot are checkpointed at once, so that a copy of the
            // database without its write-ahead log ends with a start and not with a stop.
            wal_pages: WAL_PAGES,
            lock,
        };
        log.record_identities().map_err(|source| OpenError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(log)
    }

    /// Stores the identities of the current files.
    fn record_identities(&mut self) -> std::io::Result<()> {
        let mut files = vec![FileIdentity::new(&self.path, &self.lock.metadata()?)];
        for suffix in ["-wal", "-shm"] {
            let mut name = self.path.as_os_str().to_owned();
            name.push(suffix);
            files.push(FileIdentity::of(Path::new(&name))?);
        }
        self.files = files;
        Ok(())
    }

    /// Checks that the files are in place and complete.
    fn check_files(&mut self) -> Result<(), StoreError> {
        for file in &mut self.files {
            file.check()?;
        }
        Ok(())
    }

    /// Executes `work`, which may shorten the write-ahead log.
    fn with_shrinking_wal(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        work(connection)?;
        if let Some(wal) = self.files.get_mut(1) {
            wal.resize(0);
        }
        self.check_files()
    }

    fn insert(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let closed = || StoreError::Other("the database is closed".to_owned());
        let connection = self.connection.as_mut().ok_or_else(closed)?;
        // A deferred transaction would fail if another process, such as `prune`, wrote between
        // its first read and its first write.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let cookie = transaction
            .prepare_cached("PRAGMA schema_version")?
            .query_row((), |row| row.get(0))?;
        if self.schema_cookie != Some(cookie) {
            // `VACUUM` increments the counter, too, without a schema change.
            check_schema(&self.schema, &transaction)?;
            self.schema_cookie = Some(cookie);
        }
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO records (sequence, record) VALUES (?1, ?2)")?;
            for (sequence, record) in batch.records() {
                insert.execute((sequence.cast_signed(), record))?;
            }
        }
        transaction.commit()?;
        // The first write after a checkpoint may have shortened the file.
        if let Some(wal) = self.files.get_mut(1) {
            wal.resize(0);
        }
        // A batch fills its own pages, and touches one or two others.
        self.wal_pages += i64::try_from(batch.lines().len() / 4096).unwrap_or(WAL_PAGES) + 2;
        Ok(())
    }
}

impl Store for Sqlite {
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        // A truncated write-ahead log would grow again and hide the loss.
        self.check()?;
        // The records are durable only if their files still have their names.
        let result = self.insert(batch).and_then(|()| self.check_files());
        if result.is_err() {
            // The cached pages may differ from the disk.
            self.connection = None;
        }
        result
    }

    fn check(&mut self) -> Result<(), StoreError> {
        let result = self.check_files();
        if result.is_err()
            && let Some(connection) = self.connection.take()
        {
            // Moves the records of an unlinked write-ahead log to the database.
            let _ = truncate_wal(&connection);
        }
        result
    }

    fn checkpoint_wal(&mut self) -> Result<(), StoreError> {
        if self.wal_pages < WAL_PAGES {
            return Ok(());
        }
        self.wal_pages = 0;
        // If this fails, the records stay in the write-ahead log.
        self.with_shrinking_wal(|connection| {
            connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))
        })
    }

    fn reopen(&mut self, head: Head) -> Result<(), StoreError> {
        self.connection = None;
        // A database that replaced this one must not be changed.
        FileIdentity::new(&self.path, &self.lock.metadata()?).check()?;
        let connection = connect(&self.path)?;
        connection.busy_timeout(REOPEN_TIMEOUT)?;
        check_schema(&self.schema, &connection)?;
        let sequence = head.sequence.cast_signed();
        connection.execute("DELETE FROM records WHERE sequence > ?1", [sequence])?;
        // After a failed fsync the system may consider pages clean that were not written. This
        // writes them again, to the database, and starts a new write-ahead log.
        if !truncate_wal(&connection)? {
            let reason = "another program is reading the write-ahead log, which must be truncated";
            return Err(StoreError::Other(reason.to_owned()));
        }
        self.wal_pages = 0;
        self.record_identities()?;
        self.connection = Some(connection);
        Ok(())
    }
}

impl Drop for Sqlite {
    /// Moves all records to the database, also while it is being read.
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            let _ = truncate_wal(connection);
        }
    }
}

fn check_schema(schema: &Schema, connection: &Connection) -> Result<(), StoreError> {
    if schema.is_that_of(connection)? {
        Ok(())
    } else {
        Err(StoreError::Other(CHANGED_SCHEMA.to_owned()))
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // `checkpoint_wal` does it instead, after all receipts were delivered.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    Ok(connection)
}

/// Moves all records to the database and truncates the write-ahead log, unless a reader prevents
/// it. Callers waiting for a receipt wait for this, so its timeout is short.
fn truncate_wal(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(REOPEN_TIMEOUT)?;
    let busy: bool =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get(0))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(!busy)
}

fn not_a_log(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) {
        let reason = "not an SQLite database".to_owned();
        return OpenError::NotALog { path, reason };
    }
    OpenError::Sqlite {
        path,
        source: error,
    }
}

/// Creates the tables in an empty database, or determines the schema of an existing log.
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
