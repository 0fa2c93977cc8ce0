//! Forwarding of audit records to a central collector.
//!
//! The log is its own outbox: a record is on the local disk before it is sent, and a
//! [`Forwarder`] reads it from there. An unavailable collector does not delay appending; the
//! records wait in the log until it is back.
//!
//! Every record arrives at least once. It may arrive twice if a response was lost and the
//! collector cannot be queried: see `nats` and `otlp` for the guarantees of each. Node and
//! sequence identify a record.
//!
//! - `target.rs`: the target URL.
//! - `outbox.rs`: the pending records; `cursor.rs`: the stored position.
//! - `worker.rs`: the forwarding thread and its retries; `stop.rs`: its end.
//! - `connection.rs`: addresses, failures and the retry delay.
//! - `nats/`: publishing to a NATS `JetStream` stream.
//! - [`otlp`]: OTLP over HTTP, also for the traces of a server, and publishing log records.
//! - `status.rs`: the metrics.

#![forbid(unsafe_code)]

pub mod otlp;

mod connection;
mod cursor;
mod nats;
mod outbox;
mod status;
mod stop;
mod target;
mod worker;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use audit_log::read::{ReadError, Reader, Start};
use audit_log::record::Record;
use audit_log::{AuditLog, Location};
use tokio::sync::watch;
use tokio::time::Instant;

use cursor::Cursor;
use outbox::Outbox;
use status::Status;
use worker::{Sink, Worker};

pub use status::ForwardMetrics;
pub use target::{Target, TargetError};

/// Forwards the records of a log on a separate thread until it is stopped.
///
/// Dropping it stops the thread at once; the remaining records are sent after the next start.
#[derive(Debug)]
pub struct Forwarder {
    status: Arc<Status>,
    written: watch::Receiver<u64>,
    /// The deadline of the stop. Dropping the sender stops at once.
    stop: Option<watch::Sender<Option<Instant>>>,
    thread: Option<JoinHandle<()>>,
    /// Closed when the thread has ended.
    ended: watch::Receiver<()>,
}

/// An error of starting to forward.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The log has no file, so its records cannot be read.
    #[error(
        "the audit log `{0}` cannot be forwarded: pending records are read from it, so it must be \
         kept in a file; name one with sqlite:PATH or jsonl:PATH"
    )]
    NotKept(Location),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The last record of the log is unreadable.
    #[error(
        "the last record of the audit log `{0}` cannot be read; examine the log with \
         `component-runner audit verify`"
    )]
    Damaged(Location),
    /// The cursor file cannot be used.
    #[error("cannot open `{}`, the cursor of audit log forwarding", path.display())]
    Cursor {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// No thread is available.
    #[error("cannot start the thread that forwards the audit log")]
    Start(#[source] io::Error),
}

impl Forwarder {
    /// Starts to forward the records of `log`, which is stored at `location`, to `target`. An
    /// unreachable target is not an error: it is retried until it is reached.
    ///
    /// # Errors
    ///
    /// Fails if the log has no file, or its cursor file cannot be used.
    pub fn start(
        log: &AuditLog,
        location: &Location,
        target: &Target,
    ) -> Result<Self, ForwardError> {
        let not_kept = || ForwardError::NotKept(location.clone());
        let path = location
            .sibling(target.cursor_name())
            .ok_or_else(not_kept)?;
        let node = node(location)?;
        let written = log.written();
        let cursor = Cursor::open(&path, &node, *written.borrow())
            .map_err(|source| ForwardError::Cursor { path, source })?;
        let status = Arc::new(Status::new(cursor.sequence()));
        let outbox = Outbox::new(log, location, cursor, status.clone());
        let (stop, stopped) = watch::channel(None);
        let (running, ended) = watch::channel(());
        let worker = Worker::new(outbox, Sink::new(target, node), target, stopped);
        let thread = thread::Builder::new()
            .name("audit-forward".to_owned())
            .spawn(move || {
                worker.run();
                drop(running);
            })
            .map_err(ForwardError::Start)?;
        Ok(Self {
            status,
            written,
            stop: Some(stop),
            thread: Some(thread),
            ended,
        })
    }

    /// The metrics of forwarding.
    #[must_use]
    pub fn metrics(&self) -> ForwardMetrics {
        self.status.metrics(*self.written.borrow())
    }

    /// Sends the remaining records for `timeout` at most, and stops. Call it after the log was
    /// closed, so that the last records are sent, too. Returns the final metrics: the records of
    /// a lag above zero are sent after the next start.
    pub async fn stop(&self, timeout: Duration) -> ForwardMetrics {
        if let Some(stop) = &self.stop {
            stop.send_replace(Some(Instant::now() + timeout));
        }
        // The thread has ended when the channel is closed, which is an error.
        let _ = self.ended.clone().changed().await;
        self.metrics()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that forwards the audit log panicked");
        }
    }
}

/// Reads the name of the log.
fn node(location: &Location) -> Result<String, ForwardError> {
    let mut reader = Reader::open(location, Start::Last(1))?;
    let line = reader.next()?;
    let record = line.and_then(|line| serde_json::from_slice::<Record<'_>>(line.bytes).ok());
    let damaged = || ForwardError::Damaged(location.clone());
    Ok(record.ok_or_else(damaged)?.host.node.into_owned())
}
