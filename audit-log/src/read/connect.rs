//! Opening a database for reading.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::TempDir;

use crate::location::database_path;

/// Timeout for the database lock of a writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection, and the temporary copy that it may read.
#[derive(Debug)]
pub(super) struct DatabaseConnection {
    pub(super) connection: Connection,
    /// Whether the connection must be reopened for records added later, because SQLite was told
    /// that the database does not change.
    pub(super) misses_changes: bool,
    /// The copy to which the connection belongs, if any.
    _copy: Option<TempDir>,
}

impl DatabaseConnection {
    fn to(connection: Connection) -> Self {
        Self {
            connection,
            misses_changes: false,
            _copy: None,
        }
    }
}

/// Opens the database at `path`, also where SQLite cannot create its files for readers.
///
/// Opened read-write if possible, only because SQLite could not otherwise read a log whose writer
/// has crashed.
pub(super) fn connect(path: &Path) -> rusqlite::Result<DatabaseConnection> {
    let path = database_path(path);
    match try_connect(&path) {
        Err(error) if is_file_access_error(&error) => connect_read_only(&path).map_err(|_| error),
        result => result.map(DatabaseConnection::to),
    }
}

/// Opens the database without letting SQLite create files.
pub(super) fn connect_without_side_files(path: &Path) -> rusqlite::Result<DatabaseConnection> {
    let path = database_path(path);
    if with_suffix(&path, "-wal").exists() && with_suffix(&path, "-shm").exists() {
        return try_connect(&path).map(DatabaseConnection::to);
    }
    Ok(DatabaseConnection {
        misses_changes: false,
        ..connect_read_only(&path)?
    })
}

/// Whether the write-ahead log is missing or empty, as after a stop, and in a copy of the
/// database file alone.
pub(super) fn lacks_write_ahead_log(path: &Path) -> bool {
    let wal = fs::metadata(with_suffix(&database_path(path), "-wal"));
    wal.map_or(true, |metadata| metadata.len() == 0)
}

fn try_connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).or_else(|_| {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(path, flags)
    })?;
    configure(&connection)?;
    // SQLite opens the files only with the first read.
    connection.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(()))?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    // A reader does not change the files of a log: closing the last connection must not
    // checkpoint the write-ahead log that a crash has left.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

fn is_file_access_error(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    )
}

/// Opens a database without creating files. A database whose write-ahead log is not empty is
/// copied, because SQLite would ignore that log.
fn connect_read_only(path: &Path) -> rusqlite::Result<DatabaseConnection> {
    if lacks_write_ahead_log(path) {
        return Ok(DatabaseConnection {
            misses_changes: true,
            ..DatabaseConnection::to(connect_immutable(path)?)
        });
    }
    let copy = copy(path).map_err(|error| {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        rusqlite::Error::SqliteFailure(code, Some(error.to_string()))
    })?;
    let connection = try_connect(&copy.path().join(COPY))?;
    Ok(DatabaseConnection {
        connection,
        misses_changes: false,
        _copy: Some(copy),
    })
}

const COPY: &str = "audit.db";

fn copy(path: &Path) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("audit-read-").tempdir()?;
    let copy = folder.path().join(COPY);
    fs::copy(path, &copy)?;
    fs::copy(with_suffix(path, "-wal"), with_suffix(&copy, "-wal"))?;
    Ok(folder)
}

fn connect_immutable(path: &Path) -> rusqlite::Result<Connection> {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'.')
        .remove(b'-')
        .remove(b'_');

    let path = percent_encode(path.as_os_str().as_encoded_bytes(), ENCODED);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)?;
    configure(&connection)?;
    Ok(connection)
}

/// The path of a database with a suffix of SQLite added.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
