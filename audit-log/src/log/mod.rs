//! The log handle and the writer thread.
//!
//! - this file: [`AuditLog`], and opening a log.
//! - `writer.rs`: the writer thread.
//! - `receipt.rs`: delivery of receipts to the waiting tasks.
//! - `sequencer.rs`: sequence, time and hash of a record, and periodic checkpoints.
//! - `check.rs`: dry run of opening a log.
//! - `resume.rs`: continuation of an existing log; `end.rs`: its end.
//! - `checkpoint_copies.rs`: copies of the checkpoints in another folder.
//! - `settings.rs`, `status.rs`: settings and metrics.

mod check;
mod checkpoint_copies;
mod end;
mod receipt;
mod resume;
mod sequencer;
mod settings;
mod status;
mod writer;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::Location;
use crate::event::Event;
use crate::key::{KeyError, SigningKey};
use crate::record::{Entry, PendingRecord, Subject};
use crate::store::OpenError;
pub use check::Folder;
use receipt::{ReceiptSender, receipt_channel};
use resume::Resumed;
pub use settings::{Policy, Settings};
pub use status::Metrics;
use status::Status;
use writer::Writer;

/// The capacity of the queue to the writer; `append` waits while it is full.
const QUEUE_ENTRIES: usize = 4096;

/// The interval of checkpoints while records are written.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// The timeout after which `best-effort` drops an entry.
const BEST_EFFORT_WAIT: Duration = Duration::from_secs(1);

/// A handle to a log. Clones write to the same log, which [`AuditLog::close`] closes.
///
/// A single thread assigns sequence and time to each record and writes it, so the log is ordered
/// by both, and a slow disk delays only the callers that wait for a receipt. Records that wait at
/// the same time are written together.
#[derive(Clone)]
pub struct AuditLog {
    shared: Arc<Shared>,
    policy: Policy,
}

struct Shared {
    /// None if the log has no storage.
    queue: Option<mpsc::Sender<Job>>,
    status: Arc<Status>,
    written: watch::Receiver<u64>,
}

/// A message to the writer thread.
enum Job {
    /// Write a record, and deliver its receipt.
    Append {
        record: PendingRecord,
        receipt: ReceiptSender,
    },
    /// The checkpoint interval has elapsed.
    Tick,
    /// Write the last records, and stop.
    Close(oneshot::Sender<()>),
}

/// An error of appending.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The log cannot be written.
    #[error("cannot write: {0}")]
    Unavailable(Arc<str>),
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

impl AuditLog {
    /// Opens or creates a log, and writes the record of the start.
    ///
    /// An existing log is continued: an unfinished record at its end is removed, and its last
    /// records must form a chain.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be written, is damaged at its end, or is not a log.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let location = &settings.location;
        if *location == Location::None {
            return Ok(Self::nowhere());
        }
        let key_file = settings.key.clone().or_else(|| location.sibling("key"));
        // Reports an error of an existing key before it creates a log.
        let key = key_file.as_deref().map(find_key).transpose()?.flatten();
        let (store, resumed) = resume::resume(settings)?;
        let key = match (key, key_file) {
            (None, Some(path)) => Some(create_key(&path, location, &resumed)?),
            (key, _) => key,
        };
        let copies = match &settings.checkpoints {
            Some(folder) => Some(checkpoint_copies::CheckpointCopies::start(
                folder,
                &resumed.node,
            )?),
            None => None,
        };
        let (queue, jobs) = mpsc::channel(QUEUE_ENTRIES);
        let (sender, written) = watch::channel(resumed.head.sequence);
        let status = Arc::new(Status::default());
        let start = start_records(settings.version, &resumed, key.as_ref());
        let writer = Writer::start(store, resumed, key, copies, status.clone(), sender, &start)
            .map_err(|error| error.at(location))?;
        thread::Builder::new()
            .name("audit-log".to_owned())
            .spawn(move || writer.run(jobs))
            .map_err(OpenError::Start)?;

        let shared = Arc::new(Shared {
            queue: Some(queue),
            status,
            written,
        });
        tick(Arc::downgrade(&shared)).map_err(OpenError::Start)?;
        Ok(Self {
            shared,
            policy: settings.policy,
        })
    }

    /// A log without storage, which discards its records.
    fn nowhere() -> Self {
        let shared = Arc::new(Shared {
            queue: None,
            status: Arc::default(),
            written: watch::channel(0).1,
        });
        Self {
            shared,
            policy: Policy::FailClosed,
        }
    }

    /// A handle to the same log, with another policy for itself and its clones.
    #[must_use]
    pub fn with_policy(&self, policy: Policy) -> Self {
        Self {
            shared: self.shared.clone(),
            policy,
        }
    }

    /// Appends an entry of a guest, and waits until it is durable. Returns its sequence, or 0 if
    /// it was dropped under [`Policy::BestEffort`].
    ///
    /// If the future is dropped, the entry may be in the log or not.
    ///
    /// # Errors
    ///
    /// Fails under [`Policy::FailClosed`] if the log cannot be written. Then the
    /// entry is not in it.
    pub async fn append(
        &self,
        subject: Subject<'_>,
        entry: &Entry<'_>,
    ) -> Result<u64, AppendError> {
        self.submit(|| PendingRecord::guest(subject, entry)).await
    }

    /// Appends an event of the host, and waits until it is durable. Returns its sequence, or 0
    /// if it was dropped under [`Policy::BestEffort`].
    ///
    /// # Errors
    ///
    /// Fails under [`Policy::FailClosed`] if the log cannot be written. Then the
    /// record is not in it.
    pub async fn record(
        &self,
        subject: Subject<'_>,
        event: &Event<'_>,
    ) -> Result<u64, AppendError> {
        self.submit(|| PendingRecord::event(subject, event)).await
    }

    /// Sends a record to the writer, and waits for its receipt as the policy requires. Without a
    /// log, the record is only counted, and not made.
    async fn submit(&self, record: impl FnOnce() -> PendingRecord) -> Result<u64, AppendError> {
        let Some(queue) = &self.shared.queue else {
            return Ok(self.shared.status.appended.fetch_add(1, Ordering::Relaxed) + 1);
        };
        let written = write(queue, record());
        let (result, counter) = match self.policy {
            Policy::FailClosed => (written.await, &self.shared.status.refused),
            Policy::BestEffort => {
                let written = tokio::time::timeout(BEST_EFFORT_WAIT, written).await;
                let result = written.unwrap_or(Err(AppendError::Closed));
                (result, &self.shared.status.dropped)
            }
        };
        if result.is_err() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        match self.policy {
            Policy::FailClosed => result,
            Policy::BestEffort => Ok(result.unwrap_or(0)),
        }
    }

    /// Writes the queued records, the record of the stop and a last checkpoint, and closes the
    /// log.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        // Both fail only if the log is closed already.
        if let Some(queue) = &self.shared.queue
            && queue.send(Job::Close(done)).await.is_ok()
        {
            let _ = closed.await;
        }
    }

    /// A channel with the sequence of the last durable record.
    #[must_use]
    pub fn written(&self) -> watch::Receiver<u64> {
        self.shared.written.clone()
    }

    /// A counter of write failures. Records that were read before such a failure, and beyond
    /// [`AuditLog::written`], may have been removed again.
    pub fn failures(&self) -> impl Fn() -> u64 + Send + use<> {
        let status = self.shared.status.clone();
        move || status.failures.load(Ordering::Acquire)
    }

    /// The metrics of the log.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let Shared { queue, status, .. } = &*self.shared;
        let waiting = queue
            .as_ref()
            .map_or(0, |queue| queue.max_capacity() - queue.capacity());
        status.metrics(waiting)
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuditLog").field(&self.metrics()).finish()
    }
}

/// Reads the key at `path`, if the file exists.
fn find_key(path: &Path) -> Result<Option<SigningKey>, KeyError> {
    match SigningKey::open(path) {
        Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Creates a key for a log without signatures. A signed log would silently get a second key.
fn create_key(path: &Path, location: &Location, log: &Resumed) -> Result<SigningKey, OpenError> {
    match log.signer {
        Some(signer) => Err(OpenError::KeyMissing {
            location: location.clone(),
            path: path.to_owned(),
            signer: signer.into(),
        }),
        None => Ok(SigningKey::create(path)?),
    }
}

/// The records of a start: of the server, and of the state in which it found the log.
fn start_records(version: &str, log: &Resumed, key: Option<&SigningKey>) -> Vec<PendingRecord> {
    let some = |count: u64| (count > 0).then_some(count);
    let mut events = vec![Event::ServerStart {
        version: version.into(),
        previous_stop: log.previous_stop,
        torn_bytes: some(log.torn_bytes),
        uncovered: some(log.uncovered),
    }];
    if let (Some(previous), Some(key)) = (log.signer, key)
        && previous != key.public_key()
    {
        tracing::warn!("the audit log was signed by another key before: {previous}");
        events.push(Event::KeyChanged { previous });
    }
    if let (Some((first, last)), Some(_)) = (log.unattested, key) {
        tracing::error!(
            "the records {first} to {last} of the audit log have no checkpoint, though a server \
             would have signed them; examine it with `component-runner audit verify`"
        );
        events.push(Event::LogUnattested { first, last });
    }
    let records = events.iter();
    let records = records.map(|event| PendingRecord::event(Subject::default(), event));
    records.collect()
}

/// Sends a record to the writer, and waits for its receipt.
async fn write(queue: &mpsc::Sender<Job>, record: PendingRecord) -> Result<u64, AppendError> {
    let (receipt, written) = receipt_channel();
    let sent = queue.send(Job::Append { record, receipt }).await;
    sent.map_err(|_| AppendError::Closed)?;
    written.await
}

/// Starts the thread that sends a tick to the writer every second, until the log is closed.
fn tick(log: Weak<Shared>) -> io::Result<()> {
    let tick = move || {
        loop {
            thread::sleep(CHECKPOINT_INTERVAL);
            let Some(shared) = log.upgrade() else { break };
            // If the queue is full, the next tick serves.
            let sent = shared.queue.as_ref().map(|queue| queue.try_send(Job::Tick));
            if let Some(Err(mpsc::error::TrySendError::Closed(_))) = sent {
                break;
            }
        }
    };
    let builder = thread::Builder::new().name("audit-clock".to_owned());
    builder.spawn(tick).map(drop)
}
