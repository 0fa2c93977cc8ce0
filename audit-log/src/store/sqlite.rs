//! A log in an SQLite database, which every program that knows SQLite can query
//! while it is written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::identity::Identity;
use super::lock::WriterLock;
use super::schema::{APPLICATION_ID, LATEST, Schema};
use super::{Batch, Head, OpenError, Store, StoreError, database_path};

/// How long another program may hold the database, such as `audit prune`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long it may do so while a log that failed is opened anew.
const REOPEN_TIMEOUT: Duration = Duration::from_millis(250);

/// How many pages of 4 KiB the write-ahead log has before they are moved to the
/// database.
const WAL_PAGES: i64 = 1024;

/// The bytes of the write-ahead log that stay when SQLite restarts it, after a reader
/// that had kept it from doing so has ended. A page has a header of 24 bytes there.
const WAL_BYTES: i64 = WAL_PAGES * (4096 + 24);

pub(super) struct Sqlite {
    path: PathBuf,
    /// None while it is opened anew.
    connection: Option<Connection>,
    /// The database, its write-ahead log and the index of that, as this opened them.
    files: Vec<Identity>,
    schema: Schema,
    /// Which SQLite counts up with each change of the schema. None where it has to be compared.
    schema_cookie: Option<i64>,
    /// Pages in the write-ahead log that are not yet in the database, about.
    wal_pages: i64,
    /// Excludes other writers. Dropped after the connection.
    lock: WriterLock,
}

/// Why nothing is written to a database.
const CHANGED_SCHEMA: &str = "another program has changed its schema (a trigger, a view or an \
     index, perhaps), which the `.schema` of sqlite3 shows";

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let path = &database_path(path);
        let lock = WriterLock::take(path)?;
        let sqlite_error = |source| OpenError::Sqlite {
            path: path.to_owned(),
            source,
        };
        let connection = connect(path).map_err(|error| not_a_log(path, error))?;
        let schema = prepare(&connection).map_err(sqlite_error)?;
        let not_a_log = |why| {
            let path = path.to_owned();
            OpenError::NotALog { path, why }
        };
        let schema = schema.map_err(not_a_log)?;
        if !schema.is_that_of(&connection).map_err(sqlite_error)? {
            return Err(not_a_log(CHANGED_SCHEMA.to_owned()));
        }
        // What a crash has left. If somebody reads it at the moment, it can wait.
        empty_write_ahead_log(&connection).map_err(sqlite_error)?;
        let mut log = Self {
            path: path.to_owned(),
            connection: Some(connection),
            files: Vec::new(),
            schema,
            schema_cookie: None,
            // The first records of a boot are moved at once: then a copy of the database
            // without its write-ahead log ends with a server that did not stop.
            wal_pages: WAL_PAGES,
            lock,
        };
        log.identify().map_err(|source| OpenError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(log)
    }

    /// Takes the files that are there for those of this log.
    fn identify(&mut self) -> std::io::Result<()> {
        let mut files = vec![Identity::new(&self.path, &self.lock.metadata()?)];
        for suffix in ["-wal", "-shm"] {
            let mut name = self.path.as_os_str().to_owned();
            name.push(suffix);
            files.push(Identity::of(Path::new(&name))?);
        }
        self.files = files;
        Ok(())
    }

    /// Checks that the files are still there, and have everything that was written.
    fn check_files(&mut self) -> Result<(), StoreError> {
        for file in &mut self.files {
            file.check()?;
        }
        Ok(())
    }

    /// Does `work`, which may make the write-ahead log shorter.
    fn shortening(
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
        // One that begins by reading would fail where another process, such as `prune`, writes
        // in between.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let cookie = transaction
            .prepare_cached("PRAGMA schema_version")?
            .query_row((), |row| row.get(0))?;
        if self.schema_cookie != Some(cookie) {
            // Also what leaves the schema as it is counts this up, such as `VACUUM`.
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
        // The first write after a checkpoint may have made it shorter.
        if let Some(wal) = self.files.get_mut(1) {
            wal.resize(0);
        }
        // A batch fills its pages, and touches one or two beside them.
        self.wal_pages += i64::try_from(batch.lines().len() / 4096).unwrap_or(WAL_PAGES) + 2;
        Ok(())
    }
}

impl Store for Sqlite {
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        // A write-ahead log that was cut off would grow again.
        self.check()?;
        // The records are durable only if their files still have their names.
        let result = self.insert(batch).and_then(|()| self.check_files());
        if result.is_err() {
            // Whatever the pages in memory say, the disk may say something else.
            self.connection = None;
        }
        result
    }

    fn check(&mut self) -> Result<(), StoreError> {
        let result = self.check_files();
        if result.is_err()
            && let Some(connection) = self.connection.take()
        {
            // What a write-ahead log without a name still has may go into the database.
            let _ = empty_write_ahead_log(&connection);
        }
        result
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        if self.wal_pages < WAL_PAGES {
            return Ok(());
        }
        self.wal_pages = 0;
        // Fails, too, where the disk does: then the records stay where they are.
        self.shortening(|connection| {
            connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))
        })
    }

    fn reopen(&mut self, head: Head) -> Result<(), StoreError> {
        self.connection = None;
        // Another database in its place must stay as it is.
        Identity::new(&self.path, &self.lock.metadata()?).check()?;
        let connection = connect(&self.path)?;
        connection.busy_timeout(REOPEN_TIMEOUT)?;
        check_schema(&self.schema, &connection)?;
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
        self.identify()?;
        self.connection = Some(connection);
        Ok(())
    }
}

impl Drop for Sqlite {
    /// Leaves everything in the database, also while it is being read.
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            let _ = empty_write_ahead_log(connection);
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
    // `tidy` does it instead, when nobody waits for a receipt.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
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
        let why = "it is not an SQLite database".to_owned();
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
