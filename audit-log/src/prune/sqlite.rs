//! Pruning a database while a server may write it.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{Cut, PruneError, tombstone};
use crate::key::SigningKey;
use crate::location::database_path;

/// Timeout for the database lock of a server.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Removes the records of `cut` in steps. Each step is one transaction, which also replaces the
/// tombstone of the previous step by that of all steps so far.
pub(super) fn remove(path: &Path, cut: &Cut, key: &SigningKey) -> Result<(), PruneError> {
    let fail = |source| PruneError::Sqlite {
        path: path.to_owned(),
        source,
    };
    let mut connection = connect(path).map_err(fail)?;
    let mut before = cut.base;
    for &last in &cut.steps {
        let start = Instant::now();
        let mut step = || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let sequence = last.sequence.cast_signed();
            let removed =
                transaction.execute("DELETE FROM records WHERE sequence <= ?1", [sequence])?;
            if removed as u64 != last.sequence - before.sequence {
                return Ok(false);
            }
            if before != cut.base {
                let before = before.sequence.cast_signed();
                transaction.execute("DELETE FROM tombstones WHERE sequence = ?1", [before])?;
            }
            let tombstone = tombstone(cut, last, key);
            transaction.execute(
                "INSERT INTO tombstones (sequence, tombstone) VALUES (?1, ?2)",
                (sequence, tombstone),
            )?;
            transaction.commit()?;
            Ok(true)
        };
        if !step().map_err(fail)? {
            let path = path.to_owned();
            return Err(PruneError::Changed { path });
        }
        before = last;
        if last != cut.last() {
            // Gives the server as much time to write as this step took.
            thread::sleep(start.elapsed());
        }
    }
    Ok(())
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database_path(path), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "full")?;
    // Overwrites the removed contents with zeros.
    connection.pragma_update(None, "secure_delete", true)?;
    Ok(connection)
}
