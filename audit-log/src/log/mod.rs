//! The handle that everybody appends through.
//!
//! - this file: [`AuditLog`], and how a log is opened.
//! - `writer.rs`: the one thread that writes.
//! - `receipt.rs`: how those who wait are woken.
//! - `stamp.rs`: the place and the time of a record, and when a checkpoint is due.
//! - `check.rs`: whether a log could be opened, without opening it.
//! - `resume.rs`: whether an existing log can go on; `end.rs`: how it ends.
//! - `copies.rs`: copies of the checkpoints, somewhere else.
//! - `settings.rs`, `status.rs`: what goes in, and what is seen from outside.

mod check;
mod copies;
mod end;
mod receipt;
mod resume;
mod settings;
mod stamp;
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
use crate::record::{Draft, Entry, Subject};
use crate::store::OpenError;
pub use check::Folder;
use receipt::{Promised, promise};
use resume::Resumed;
pub use settings::{Policy, Settings};
pub use status::Metrics;
use status::Status;
use writer::Writer;

/// How many entries may wait for the writer before `append` itself waits.
const QUEUE_ENTRIES: usize = 4096;

/// How often a checkpoint is signed while records are written.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// How long `best-effort` waits for the log before it drops an entry.
const BEST_EFFORT_WAIT: Duration = Duration::from_secs(1);

/// A handle on a log. Clones write to the same log, which ends with
/// [`AuditLog::close`].
///
/// A single thread gives each record its place and its time and writes it, so the
/// order in the log is the order of both, and a slow disk holds up those who wait
/// for it but nobody else. Records that wait at the same time are written together.
#[derive(Clone)]
pub struct AuditLog {
    shared: Arc<Shared>,
    policy: Policy,
}

struct Shared {
    /// None if the log is kept nowhere.
    queue: Option<mpsc::Sender<Job>>,
    status: Arc<Status>,
    written: watch::Receiver<u64>,
}

/// Something for the writer to do.
enum Job {
    /// Write a record, and say when it is on the disk.
    Append { draft: Draft, receipt: Promised },
    /// A second is over.
    Tick,
    /// Write the last records, and end.
    Close(oneshot::Sender<()>),
}

/// Why an entry is not in the log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The log cannot be written at the moment.
    #[error("cannot write: {0}")]
    Unavailable(Arc<str>),
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

impl AuditLog {
    /// Opens a log and writes the record of the start.
    ///
    /// A log that is there already is continued: what a crash left unfinished at
    /// its end is taken off, and its last records must be a chain.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be written, is damaged at its end, or is something
    /// else.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let location = &settings.location;
        if *location == Location::None {
            return Ok(Self::nowhere());
        }
        let key_file = settings.key.clone().or_else(|| location.beside("key"));
        // An error of an existing key comes before a log is made.
        let key = key_file.as_deref().map(find_key).transpose()?.flatten();
        let (store, resumed) = resume::resume(settings)?;
        let key = match (key, key_file) {
            (None, Some(path)) => Some(make_key(&path, location, &resumed)?),
            (key, _) => key,
        };
        let copies = match &settings.checkpoints {
            Some(folder) => Some(copies::Copies::start(folder, &resumed.node)?),
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
            .spawn(move || writer.work(jobs))
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

    /// A log that takes everything and keeps nothing.
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

    /// A handle on the same log, with another policy for what is appended through it and
    /// its clones.
    #[must_use]
    pub fn with_policy(&self, policy: Policy) -> Self {
        Self {
            shared: self.shared.clone(),
            policy,
        }
    }

    /// Appends the entry of a guest, and waits until it is on the disk. Returns
    /// its sequence, or 0 if it was dropped under [`Policy::BestEffort`].
    ///
    /// If the caller stops waiting, the entry may be in the log or not.
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
        let Some(queue) = &self.shared.queue else {
            return Ok(self.shared.status.appended.fetch_add(1, Ordering::Relaxed) + 1);
        };
        self.submit(queue, Draft::guest(subject, entry)).await
    }

    /// Appends what the host itself says, and waits until it is on the disk.
    /// Returns its sequence, or 0 if it was dropped under [`Policy::BestEffort`].
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
        match &self.shared.queue {
            Some(queue) => self.submit(queue, Draft::event(subject, event)).await,
            None => Ok(self.shared.status.appended.fetch_add(1, Ordering::Relaxed) + 1),
        }
    }

    /// Sends a record to the writer, and waits as long as the policy says.
    async fn submit(&self, queue: &mpsc::Sender<Job>, draft: Draft) -> Result<u64, AppendError> {
        let written = write(queue, draft);
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

    /// Writes what waits, the record of the stop and a last checkpoint. Nothing
    /// can be appended afterwards.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        // Both fail only if it is closed already.
        if let Some(queue) = &self.shared.queue
            && queue.send(Job::Close(done)).await.is_ok()
        {
            let _ = closed.await;
        }
    }

    /// The sequence of the last record that is on the disk, whenever there is a new
    /// one.
    #[must_use]
    pub fn written(&self) -> watch::Receiver<u64> {
        self.shared.written.clone()
    }

    /// Tells how often the log could not be written. Records that were read before
    /// such a failure, and were not yet [`AuditLog::written`], may have been taken
    /// back.
    #[must_use]
    pub fn failures(&self) -> impl Fn() -> u64 + Send + use<> {
        let status = self.shared.status.clone();
        move || status.failures.load(Ordering::Acquire)
    }

    /// Numbers about the log.
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

/// The key in the file at `path`, if there is one.
fn find_key(path: &Path) -> Result<Option<SigningKey>, KeyError> {
    match SigningKey::open(path) {
        Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Makes a key for a log that was never signed. A log that was would be signed by two
/// keys without a word.
fn make_key(path: &Path, location: &Location, log: &Resumed) -> Result<SigningKey, OpenError> {
    match log.signer {
        Some(signer) => Err(OpenError::KeyMissing {
            location: location.clone(),
            path: path.to_owned(),
            signer: signer.into(),
        }),
        None => Ok(SigningKey::create(path)?),
    }
}

/// What a server has to say of itself and of the log that it found.
fn start_records(version: &str, log: &Resumed, key: Option<&SigningKey>) -> Vec<Draft> {
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
        tracing::warn!("the audit log was signed by another key so far: {previous}");
        events.push(Event::KeyChanged { previous });
    }
    if let (Some((first, last)), Some(_)) = (log.unattested, key) {
        tracing::error!(
            "the records {first} to {last} of the audit log are not covered by a checkpoint, as \
             a server would have left them; look at it with `component-runner audit verify`"
        );
        events.push(Event::LogUnattested { first, last });
    }
    let drafts = events.iter();
    let drafts = drafts.map(|event| Draft::event(Subject::default(), event));
    drafts.collect()
}

/// Sends a record to the writer, and waits for its receipt.
async fn write(queue: &mpsc::Sender<Job>, draft: Draft) -> Result<u64, AppendError> {
    let (receipt, written) = promise();
    let sent = queue.send(Job::Append { draft, receipt }).await;
    sent.map_err(|_| AppendError::Closed)?;
    written.await
}

/// Tells the writer when a second is over, for as long as there is one.
fn tick(log: Weak<Shared>) -> io::Result<()> {
    let tick = move || {
        loop {
            thread::sleep(CHECKPOINT_INTERVAL);
            let Some(shared) = log.upgrade() else { break };
            // A writer that is behind learns it the next time.
            let sent = shared.queue.as_ref().map(|queue| queue.try_send(Job::Tick));
            if let Some(Err(mpsc::error::TrySendError::Closed(_))) = sent {
                break;
            }
        }
    };
    let builder = thread::Builder::new().name("audit-clock".to_owned());
    builder.spawn(tick).map(drop)
}
