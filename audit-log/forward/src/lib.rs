//! Sending the records on to where the logs of many servers are collected.
//!
//! The log is its own outbox: a record is on the local disk before anything is
//! sent, and a [`Forwarder`] reads it from there. A server that cannot be reached
//! holds up nobody; its records wait in the log until it is back.
//!
//! Every record arrives at least once. Twice it may arrive where an answer was lost
//! and nobody could be asked: see `nats` and `otlp` for what each can promise. Its
//! node and its sequence tell one record from all others.
//!
//! - `target.rs`: where to, as a URL names it.
//! - `outbox.rs`: what waits; `cursor.rs`: how far it is.
//! - `worker.rs`: the thread that sends, again and again if it must.
//! - `nats/`: to a stream of NATS `JetStream`.
//! - `otlp/`: as log records of OpenTelemetry.
//! - `status.rs`: the numbers.

#![forbid(unsafe_code)]

pub mod otlp;

mod cursor;
mod nats;
mod outbox;
mod remote;
mod status;
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

/// Sends the records of a log on, on a thread of its own, until it is stopped.
///
/// If it is dropped, it ends at once; what was not sent goes out after the next
/// start.
#[derive(Debug)]
pub struct Forwarder {
    status: Arc<Status>,
    written: watch::Receiver<u64>,
    /// The time at which sending ends; dropped: now.
    stop: Option<watch::Sender<Option<Instant>>>,
    thread: Option<JoinHandle<()>>,
    /// Closed when the thread ends.
    ended: watch::Receiver<()>,
}

/// Why records are not forwarded.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The log cannot be read again, so nothing could be sent twice.
    #[error(
        "the audit log `{0}` cannot be forwarded: records wait in it until they have arrived, \
         so it must be kept in a file; name one with sqlite:PATH or jsonl:PATH"
    )]
    NotKept(Location),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log does not say which log it is.
    #[error(
        "the last record of the audit log `{0}` cannot be read; look at it with `component-runner audit verify`"
    )]
    Damaged(Location),
    /// It could not be remembered what was sent.
    #[error("cannot open `{}`, which says how far the audit log was forwarded", path.display())]
    Cursor {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The system gives no thread.
    #[error("cannot start forwarding the audit log")]
    Start(#[source] io::Error),
}

impl Forwarder {
    /// Begins to send the records of `log`, which is kept at `location`, to
    /// `target`. A target that cannot be reached is no error: it is tried until it
    /// can be.
    ///
    /// # Errors
    ///
    /// Fails if the log is in no file, or the file beside it that says how far it
    /// was sent cannot be used.
    pub fn start(
        log: &AuditLog,
        location: &Location,
        target: &Target,
    ) -> Result<Self, ForwardError> {
        let not_kept = || ForwardError::NotKept(location.clone());
        let path = location.beside(target.cursor_name()).ok_or_else(not_kept)?;
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
                worker.work();
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

    /// Numbers about what was sent.
    #[must_use]
    pub fn metrics(&self) -> ForwardMetrics {
        self.status.metrics(*self.written.borrow())
    }

    /// Sends what is left, for `deadline` at most, and ends. To be called when the
    /// log is closed: then its last records are sent, too. Returns the last
    /// numbers: a lag that is not zero goes out after the next start.
    pub async fn stop(&self, deadline: Duration) -> ForwardMetrics {
        if let Some(stop) = &self.stop {
            stop.send_replace(Some(Instant::now() + deadline));
        }
        // An error is what it waits for.
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
            tracing::error!("forwarding the audit log ended with a panic");
        }
    }
}

/// The name of the log.
fn node(location: &Location) -> Result<String, ForwardError> {
    let mut reader = Reader::open(location, Start::Last(1))?;
    let line = reader.next()?;
    let record = line.and_then(|line| serde_json::from_slice::<Record<'_>>(line.bytes).ok());
    let damaged = || ForwardError::Damaged(location.clone());
    Ok(record.ok_or_else(damaged)?.host.node.into_owned())
}
