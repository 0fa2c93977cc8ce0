//! The one thread that writes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::copies::Copies;
use super::receipt::{self, Promised};
use super::resume::{self, Resumed};
use super::stamp::{Stamp, Uncovered};
use super::{AppendError, Job, Status};
use crate::Location;
use crate::event::Event;
use crate::key::SigningKey;
use crate::record::{Draft, Subject};
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
    copies: Option<Copies>,
    status: Arc<Status>,
    written: watch::Sender<u64>,
    /// Set while the log cannot be written.
    failure: Option<Failure>,
    uncovered: Uncovered,
    /// How many dropped entries the log knows of.
    known_drops: u64,
    batch: Batch,
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

impl Writer {
    /// Writes the records of the start.
    pub(super) fn start(
        store: Box<dyn Store>,
        resumed: Resumed,
        key: Option<SigningKey>,
        copies: Option<Copies>,
        status: Arc<Status>,
        written: watch::Sender<u64>,
        start: &[Draft],
    ) -> Result<Self, StartError> {
        let mut writer = Self {
            store,
            location: resumed.location,
            head: resumed.head,
            stamp: Stamp::new(resumed.node, key).map_err(StartError::Random)?,
            copies,
            status,
            written,
            failure: None,
            uncovered: Uncovered::default(),
            known_drops: 0,
            batch: Batch::default(),
        };
        writer
            .append([], start, Sign::Yes)
            .map_err(StartError::Write)?;
        writer.tidy();
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
                    Job::Close(done) => closed = Some(done),
                }
            }
            if closed.is_some() {
                drafts.push(Draft::event(Subject::default(), &Event::ServerStop));
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
            if self.failure.is_none() {
                self.tidy();
            }
        }
        let closed: Option<oneshot::Sender<()>> = closed;
        // Those who still wait are told that the log is closed.
        drop((jobs, self));
        if let Some(done) = closed {
            let _ = done.send(());
        }
    }

    fn tidy(&mut self) {
        if let Err(error) = self.store.tidy() {
            tracing::warn!("the audit log could not be tidied up: {error}");
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
        let own = recovered.iter().chain(&drops);
        match self.append(own, drafts, sign) {
            Ok(first) => {
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

    /// Appends records of the log's `own`, and `drafts`, and after them a checkpoint if
    /// `sign` says so. If one is due already, it comes before them. Returns the sequence of
    /// the first of `drafts`.
    fn append<'a>(
        &mut self,
        own: impl IntoIterator<Item = &'a Draft>,
        drafts: &[Draft],
        sign: Sign,
    ) -> Result<u64, StoreError> {
        let (mut head, mut uncovered) = (self.head, self.uncovered);
        let mut checkpoints = Vec::new();
        self.batch.begin(head.sequence + 1);
        // One time for all: records of a batch cannot be torn apart by a clock.
        let now = Timestamp::now();
        let (stamp, batch) = (&self.stamp, &mut self.batch);
        if uncovered.is_due(now) {
            checkpoints.extend(stamp.sign(now, &mut head, &mut uncovered, batch));
        }
        for draft in own {
            stamp.put(draft, now, &mut head, &mut uncovered, batch);
        }
        let first = head.sequence + 1;
        for draft in drafts {
            stamp.put(draft, now, &mut head, &mut uncovered, batch);
        }
        if sign == Sign::Yes && !uncovered.is_empty() {
            checkpoints.extend(stamp.sign(now, &mut head, &mut uncovered, batch));
        }
        let count = self.batch.len() as u64;
        if count == 0 {
            self.store.check()?;
            return Ok(first);
        }
        self.store.append(&self.batch)?;
        self.head = head;
        self.uncovered = uncovered;
        self.status.appended.fetch_add(count, Ordering::Relaxed);
        self.written.send_replace(head.sequence);
        if let Some(copies) = &self.copies {
            for checkpoint in &checkpoints {
                copies.copy(checkpoint);
            }
        }
        Ok(first)
    }
}

/// Whether a checkpoint is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Yes,
    No,
}
