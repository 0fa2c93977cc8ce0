//! Files that are removed, renamed, replaced, truncated or linked before or while a server writes
//! the log.
//!
//! - this file: helpers.
//! - `replaced.rs`: removed, renamed, replaced and truncated files.
//! - `database.rs`: changes of a database by other programs, and its write-ahead log.
//! - `pipes.rs`: pipes in place of files.
//! - `writers.rs`: a second writer of one log.
//! - `readers.rs`: copies without the write-ahead log, and read-only folders.

mod database;
mod pipes;
mod readers;
mod replaced;
mod writers;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use audit_log::event::Event;
use audit_log::record::Subject;
use audit_log::{AuditLog, Location};

use crate::support::block_on;

/// The timeout of expected events.
const DEADLINE: Duration = Duration::from_mins(1);

fn path(location: &Location) -> &Path {
    location.path().expect("a path")
}

fn wal(location: &Location) -> PathBuf {
    path(location).with_extension("db-wal")
}

fn wait_until(event: &str, mut has_happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !has_happened() {
        assert!(start.elapsed() < DEADLINE, "timeout: {event}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether the log gives a receipt.
fn gives_receipt(log: &AuditLog) -> bool {
    block_on(log.record(Subject::default(), &Event::ComponentRemoved)).is_ok()
}
