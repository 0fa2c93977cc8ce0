//! The one thread that writes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::copies::Copies;
use super::receipt::{self, Promised};
use super::resume::{self, Resumed};
use super::{AppendError, Job, Status};
use crate::Location;
use crate::checkpoint::Checkpoint;
use crate::event::Event;
use crate::hash::hex;
use crate::key::SigningKey;
use crate::record::{Draft, Position, Subject, VERSION};
use crate::store::{Batch, Head, OpenError, Store, StoreError};

/// The most records that are written at once.
const BATCH_RECORDS: usize = 512;

/// How long a log that cannot be written is left alone before it is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

pub(super) struct Writer {
    store: Box<dyn Store>,
    location: Location,
    /// The last record that is on the disk.
    head: Head,
    stamp: Stamp,
    key: Option<SigningKey>,
    copies: Option<Copies>,
    status: Arc<Status>,
    written: watch::Sender<u64>,
    /// Set while the log cannot be written.
    failure: Option<Failure>,
    /// Whether there are records that no checkpoint covers.
    is_unsigned: bool,
    /// How many dropped entries the log knows of.
    known_drops: u64,
    batch: Batch,
}

/// What is the same, or goes on, in all records of a boot.
struct Stamp {
    node: String,
    boot: String,
    started: Instant,
}

struct Failure {
    cause: Arc<str>,
    /// Entries that were refused since.
    refused: u64,
    /// None if the next attempt need not wait.
    last_attempt: Option<Instant>,
}

/// Why a writer does not start.
pub(super) enum StartError {
    Random(std::io::Error),
    Write(StoreError),
}

impl StartError {
    pub(super) fn at(self, location: &Location) -> OpenError {
        match self {
            Self::Random(source) => OpenError::Start(source),
            Self::Write(error) => OpenError::Write {
                location: location.clone(),
                why: error.to_string(),
            },
        }
    }
}

impl Stamp {
    fn new(node: String) -> std::io::Result<Self> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        Ok(Self {
            node,
            boot: hex(&random, &mut [0; 32]).to_owned(),
            started: Instant::now(),
        })
    }

    /// Writes a record into `batch`, and returns the log's new head.
    fn put(&self, head: Head, draft: &Draft, batch: &mut Batch) -> Head {
        let (sequence, previous) = head.next();
        let monotonic_ns = self.started.elapsed().as_nanos();
        let position = Position {
            version: VERSION,
            sequence,
            previous,
            time: &now(),
            monotonic_ns: u64::try_from(monotonic_ns).unwrap_or(u64::MAX),
            node: &self.node,
            boot: &self.boot,
        };
        let hash = batch.push(|buffer| draft.write(&position, buffer));
        Head { sequence, hash }
    }
}

/// The time, with as many digits always.
fn now() -> String {
    format!("{:.9}", Timestamp::now())
}

impl Writer {
    /// Writes the record of the start.
    pub(super) fn start(
        store: Box<dyn Store>,
        resumed: Resumed,
        key: Option<SigningKey>,
        copies: Option<Copies>,
        status: Arc<Status>,
        written: watch::Sender<u64>,
        start: &Draft,
    ) -> Result<Self, StartError> {
        let mut writer = Self {
            store,
            location: resumed.location,
            head: resumed.head,
            stamp: Stamp::new(resumed.node).map_err(StartError::Random)?,
            key,
            copies,
            status,
            written,
            failure: None,
            is_unsigned: false,
            known_drops: 0,
            batch: Batch::default(),
        };
        writer
            .append([start], Sign::No)
            .map_err(StartError::Write)?;
        Ok(writer)
    }

    /// Works until the log is closed, or nobody can append any more. What comes while a
    /// batch is written is the next one.
    pub(super) fn work(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::with_capacity(BATCH_RECORDS);
        let mut drafts = Vec::with_capacity(BATCH_RECORDS);
        let mut receipts = Vec::with_capacity(BATCH_RECORDS);
        let mut closed = None;
        while closed.is_none() && jobs.blocking_recv_many(&mut waiting, BATCH_RECORDS) > 0 {
            let mut is_tick = false;
            for job in waiting.drain(..) {
                match job {
                    Job::Append { draft, receipt } => {
                        drafts.push(draft);
                        receipts.push(receipt);
                    }
                    Job::Tick => is_tick = true,
                    Job::Close(done) => {
                        drafts.push(Draft::event(Subject::default(), &Event::ServerStop));
                        closed = Some(done);
                    }
                }
            }
            let sign = if is_tick || closed.is_some() {
                Sign::Yes
            } else {
                Sign::No
            };
            if closed.is_some() {
                self.retry_now();
            }
            let result = self.try_append(&drafts, sign);
            drafts.clear();
            self.tell(receipts.drain(..), result);
            if self.failure.is_none()
                && let Err(error) = self.store.tidy()
            {
                tracing::warn!("the audit log could not be tidied up: {error}");
            }
        }
        let closed: Option<oneshot::Sender<()>> = closed;
        // Those who still wait are told that the log is closed.
        drop((jobs, self));
        if let Some(done) = closed {
            let _ = done.send(());
        }
    }

    /// Gives everybody their receipt, or the reason why there is none. `result` is
    /// the sequence of the first of them.
    fn tell(
        &mut self,
        receipts: impl ExactSizeIterator<Item = Promised>,
        result: Result<u64, Arc<str>>,
    ) {
        match result {
            Ok(first) => receipt::give(receipts.zip((first..).map(Ok))),
            Err(cause) => {
                if let Some(failure) = &mut self.failure {
                    failure.refused += receipts.len() as u64;
                }
                let refusal = || Err(AppendError::Unavailable(cause.clone()));
                receipt::give(receipts.zip(std::iter::repeat_with(refusal)));
            }
        }
    }

    /// Appends `drafts` if the log can be written, or can be written again.
    /// Returns the sequence of the first one.
    fn try_append(&mut self, drafts: &[Draft], sign: Sign) -> Result<u64, Arc<str>> {
        let recovered = self.recover()?;
        let dropped = self.status.dropped.load(Ordering::Relaxed) - self.known_drops;
        let drops = (dropped > 0).then(|| {
            let event = Event::EntriesDropped { count: dropped };
            Draft::event(Subject::default(), &event)
        });
        let own = u64::from(recovered.is_some()) + u64::from(drops.is_some());
        let first = self.head.sequence + 1 + own;
        let all = recovered.iter().chain(&drops).chain(drafts);
        match self.append(all, sign) {
            Ok(()) => {
                self.known_drops += dropped;
                if self.failure.take().is_some() {
                    self.status.failed.store(false, Ordering::Relaxed);
                    tracing::info!("the audit log can be written again");
                }
                Ok(first)
            }
            Err(error) => Err(self.fail(&error)),
        }
    }

    /// Lets the next attempt come at once, because it is the last one.
    fn retry_now(&mut self) {
        if let Some(failure) = &mut self.failure {
            failure.last_attempt = None;
        }
    }

    /// Opens the log again if it failed a while ago. Returns what to say of that.
    fn recover(&mut self) -> Result<Option<Draft>, Arc<str>> {
        let Some(failure) = &mut self.failure else {
            return Ok(None);
        };
        let is_early = |attempt: Instant| attempt.elapsed() < RETRY_INTERVAL;
        if failure.last_attempt.is_some_and(is_early) {
            return Err(failure.cause.clone());
        }
        let reopened = self.store.reopen(self.head).map_err(|e| e.to_string());
        let checked = reopened.and_then(|()| {
            resume::check_end(&self.location, self.head).map_err(|error| error.to_string())
        });
        if let Err(why) = checked {
            tracing::debug!("the audit log still cannot be written: {why}");
            failure.last_attempt = Some(Instant::now());
            return Err(failure.cause.clone());
        }
        let event = Event::LogRecovered {
            cause: failure.cause.as_ref().into(),
            refused: failure.refused,
        };
        Ok(Some(Draft::event(Subject::default(), &event)))
    }

    /// From now on the log takes nothing, until it is opened anew.
    fn fail(&mut self, error: &StoreError) -> Arc<str> {
        let cause: Arc<str> = error.to_string().into();
        let refused = self.failure.as_ref().map_or(0, |failure| failure.refused);
        if self.failure.is_none() {
            tracing::error!("the audit log cannot be written: {cause}");
        }
        // What is refused may be on the disk. It must not stay there if this process
        // ends before the log is opened anew, so it is taken off now, if the disk does
        // that much.
        if let Err(why) = self.store.reopen(self.head) {
            tracing::debug!("what was refused may still be in the audit log: {why}");
        }
        self.status.failed.store(true, Ordering::Relaxed);
        self.status.failures.fetch_add(1, Ordering::Release);
        self.failure = Some(Failure {
            cause: cause.clone(),
            refused,
            last_attempt: Some(Instant::now()),
        });
        cause
    }

    /// Appends `drafts`, and after them a checkpoint if one is due.
    fn append<'a>(
        &mut self,
        drafts: impl IntoIterator<Item = &'a Draft>,
        sign: Sign,
    ) -> Result<(), StoreError> {
        let mut head = self.head;
        self.batch.begin(head.sequence + 1);
        for draft in drafts {
            head = self.stamp.put(head, draft, &mut self.batch);
        }
        let is_unsigned = self.is_unsigned || self.batch.len() > 0;
        let time;
        let checkpoint = match &self.key {
            Some(key) if sign == Sign::Yes && is_unsigned => {
                time = now();
                let Head { sequence, hash } = head;
                let checkpoint = Checkpoint::sign(key, &self.stamp.node, sequence, hash, &time);
                let draft = Draft::checkpoint(&checkpoint);
                head = self.stamp.put(head, &draft, &mut self.batch);
                Some(checkpoint)
            }
            _ => None,
        };
        let count = self.batch.len() as u64;
        if count == 0 {
            return Ok(());
        }
        self.store.append(&self.batch)?;
        self.head = head;
        self.is_unsigned = is_unsigned && checkpoint.is_none();
        self.status.appended.fetch_add(count, Ordering::Relaxed);
        self.written.send_replace(head.sequence);
        if let (Some(copies), Some(checkpoint)) = (&self.copies, checkpoint) {
            copies.copy(&checkpoint);
        }
        Ok(())
    }
}

/// Whether a checkpoint is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Yes,
    No,
}
