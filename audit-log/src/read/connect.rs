//! How a database is opened for reading.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::TempDir;

use crate::store::database_path;

/// How long a writer may hold the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection, and what it depends on.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) connection: Connection,
    /// Whether it has to be opened again for records that a server adds later, because
    /// SQLite believes that nothing changes the database.
    pub(super) misses_changes: bool,
    /// The copy that is read, if it is one.
    _copy: Option<TempDir>,
}

impl Connected {
    fn to(connection: Connection) -> Self {
        Self {
            connection,
            misses_changes: false,
            _copy: None,
        }
    }
}

/// Opens the database at `path`, also where SQLite cannot make the files that it has for
/// readers of one that is written.
///
/// Not without the right to write: then SQLite could not read a log whose writer has
/// crashed. It is not used for anything else.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connected> {
    let path = database_path(path);
    match try_connect(&path) {
        Err(error) if is_about_files(&error) => connect_apart(&path).map_err(|_| error),
        result => result.map(Connected::to),
    }
}

/// The same, but SQLite makes no files beside the database.
pub(super) fn connect_untouched(path: &Path) -> rusqlite::Result<Connected> {
    let path = database_path(path);
    if beside(&path, "-wal").exists() && beside(&path, "-shm").exists() {
        return try_connect(&path).map(Connected::to);
    }
    Ok(Connected {
        misses_changes: false,
        ..connect_apart(&path)?
    })
}

/// Whether there is nothing in the write-ahead log, as after a server that stopped, and
/// in a copy of the database alone.
pub(super) fn lacks_write_ahead_log(path: &Path) -> bool {
    let wal = fs::metadata(beside(&database_path(path), "-wal"));
    wal.map_or(true, |metadata| metadata.len() == 0)
}

fn try_connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).or_else(|_| {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(path, flags)
    })?;
    configure(&connection)?;
    // SQLite opens the files when it reads something.
    connection.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(()))?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    // Closing the last connection must not move what a crash has left: a reader does not
    // change the files of a log.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

fn is_about_files(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    )
}

/// Opens a database without a file beside it. One with a write-ahead log that is not
/// empty is copied, because SQLite would leave that out.
fn connect_apart(path: &Path) -> rusqlite::Result<Connected> {
    if lacks_write_ahead_log(path) {
        return Ok(Connected {
            misses_changes: true,
            ..Connected::to(connect_immutable(path)?)
        });
    }
    let copy = copy(path).map_err(|error| {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        rusqlite::Error::SqliteFailure(code, Some(error.to_string()))
    })?;
    let connection = try_connect(&copy.path().join(COPY))?;
    Ok(Connected {
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
    fs::copy(beside(path, "-wal"), beside(&copy, "-wal"))?;
    Ok(folder)
}

fn connect_immutable(path: &Path) -> rusqlite::Result<Connection> {
    use std::fmt::Write;

    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => uri.push(byte.into()),
            // Writing into memory does not fail.
            _ => drop(write!(uri, "%{byte:02x}")),
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri + "?immutable=1", flags)?;
    configure(&connection)?;
    Ok(connection)
}

/// A file of SQLite beside a database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
