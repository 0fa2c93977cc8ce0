//! The writer thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::checkpoint_copies::CheckpointCopies;
use super::receipt::{self, ReceiptSender};
use super::resume::{self, Resumed};
use super::sequencer::{Sequencer, UncoveredRecords};
use super::{AppendError, Job, Status};
use crate::Location;
use crate::event::Event;
use crate::head::Head;
use crate::key::SigningKey;
use crate::record::{PendingRecord, Subject};
use crate::store::{Batch, OpenError, Store, StoreError};

/// The maximum number of records in a batch.
const BATCH_RECORDS: usize = 512;

/// The minimum interval between two attempts to reopen a failed log.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

pub(super) struct Writer {
    store: Box<dyn Store>,
    location: Location,
    /// The last durable record.
    head: Head,
    sequencer: Sequencer,
    copies: Option<CheckpointCopies>,
    status: Arc<Status>,
    written: watch::Sender<u64>,
    /// Set while the log cannot be written.
    failure: Option<Failure>,
    uncovered: UncoveredRecords,
    /// The number of dropped entries that the log has recorded.
    known_drops: u64,
    batch: Batch,
}

struct Failure {
    cause: Arc<str>,
    /// The number of entries refused since.
    refused: u64,
    /// None if the next attempt is due at once.
    last_attempt: Option<Instant>,
}

/// An error of starting the writer.
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
                reason: error.to_string(),
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
        copies: Option<CheckpointCopies>,
        status: Arc<Status>,
        written: watch::Sender<u64>,
        start: &[PendingRecord],
    ) -> Result<Self, StartError> {
        let mut writer = Self {
            store,
            location: resumed.location,
            head: resumed.head,
            sequencer: Sequencer::new(resumed.node, key).map_err(StartError::Random)?,
            copies,
            status,
            written,
            failure: None,
            uncovered: UncoveredRecords::default(),
            known_drops: 0,
            batch: Batch::default(),
        };
        writer
            .append([], start, Sign::Yes)
            .map_err(StartError::Write)?;
        writer.checkpoint_wal();
        Ok(writer)
    }

    /// Runs until the log is closed or its last handle is dropped. The records that arrive while
    /// a batch is written form the next batch.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::with_capacity(BATCH_RECORDS);
        let mut records = Vec::with_capacity(BATCH_RECORDS);
        let mut receipts = Vec::with_capacity(BATCH_RECORDS);
        let mut closed = None;
        while closed.is_none() && jobs.blocking_recv_many(&mut waiting, BATCH_RECORDS) > 0 {
            let mut is_tick = false;
            for job in waiting.drain(..) {
                match job {
                    Job::Append { record, receipt } => {
                        records.push(record);
                        receipts.push(receipt);
                    }
                    Job::Tick => is_tick = true,
                    Job::Close(done) => closed = Some(done),
                }
            }
            if closed.is_some() {
                records.push(PendingRecord::event(Subject::default(), &Event::ServerStop));
            }
            let sign = if is_tick || closed.is_some() {
                Sign::Yes
            } else {
                Sign::No
            };
            if closed.is_some() {
                self.retry_now();
            }
            let result = self.try_append(&records, sign);
            records.clear();
            self.deliver_receipts(receipts.drain(..), result);
            if self.failure.is_none() {
                self.checkpoint_wal();
            }
        }
        let closed: Option<oneshot::Sender<()>> = closed;
        // Callers that still wait get `AppendError::Closed`.
        drop((jobs, self));
        if let Some(done) = closed {
            let _ = done.send(());
        }
    }

    fn checkpoint_wal(&mut self) {
        if let Err(error) = self.store.checkpoint_wal() {
            tracing::warn!("cannot checkpoint the write-ahead log of the audit log: {error}");
        }
    }

    /// Delivers the receipts of a batch, or its error. `result` is the sequence of the first
    /// record.
    fn deliver_receipts(
        &mut self,
        receipts: impl ExactSizeIterator<Item = ReceiptSender>,
        result: Result<u64, Arc<str>>,
    ) {
        match result {
            Ok(first) => receipt::deliver(receipts.zip((first..).map(Ok))),
            Err(cause) => {
                if let Some(failure) = &mut self.failure {
                    failure.refused += receipts.len() as u64;
                }
                let refusal = || Err(AppendError::Unavailable(cause.clone()));
                receipt::deliver(receipts.zip(std::iter::repeat_with(refusal)));
            }
        }
    }

    /// Appends `records` if the log can be written, or can be reopened. Returns the sequence of
    /// the first one.
    fn try_append(&mut self, records: &[PendingRecord], sign: Sign) -> Result<u64, Arc<str>> {
        let recovered = self.recover()?;
        let dropped = self.status.dropped.load(Ordering::Relaxed) - self.known_drops;
        let drops = (dropped > 0).then(|| {
            let event = Event::EntriesDropped { count: dropped };
            PendingRecord::event(Subject::default(), &event)
        });
        let own = recovered.iter().chain(&drops);
        match self.append(own, records, sign) {
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

    /// Makes the next attempt due at once, because it is the last one.
    fn retry_now(&mut self) {
        if let Some(failure) = &mut self.failure {
            failure.last_attempt = None;
        }
    }

    /// Reopens a failed log if an attempt is due. Returns the record of the recovery.
    fn recover(&mut self) -> Result<Option<PendingRecord>, Arc<str>> {
        let Some(failure) = &mut self.failure else {
            return Ok(None);
        };
        let is_early = |attempt: Instant| attempt.elapsed() < RETRY_INTERVAL;
        if failure.last_attempt.is_some_and(is_early) {
            return Err(failure.cause.clone());
        }
        let reopened = self.store.reopen(self.head).map_err(|e| e.to_string());
        let checked = reopened.and_then(|()| {
            resume::check_head(&self.location, self.head).map_err(|error| error.to_string())
        });
        if let Err(reason) = checked {
            tracing::debug!("the audit log still cannot be written: {reason}");
            failure.last_attempt = Some(Instant::now());
            return Err(failure.cause.clone());
        }
        let event = Event::LogRecovered {
            cause: failure.cause.as_ref().into(),
            refused: failure.refused,
        };
        Ok(Some(PendingRecord::event(Subject::default(), &event)))
    }

    /// Marks the log as failed until it is reopened.
    fn fail(&mut self, error: &StoreError) -> Arc<str> {
        let cause: Arc<str> = error.to_string().into();
        let refused = self.failure.as_ref().map_or(0, |failure| failure.refused);
        if self.failure.is_none() {
            tracing::error!("the audit log cannot be written: {cause}");
        }
        // The refused records may be on the disk. They must not stay there if this process ends
        // before the log is reopened, so they are removed now, if the disk permits.
        if let Err(reason) = self.store.reopen(self.head) {
            tracing::debug!("refused records may still be in the audit log: {reason}");
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

    /// Appends the writer's `own` records, then `records`, and then a checkpoint if `sign`
    /// requests it. A checkpoint that is already due precedes them. Returns the sequence of the
    /// first of `records`.
    fn append<'a>(
        &mut self,
        own: impl IntoIterator<Item = &'a PendingRecord>,
        records: &[PendingRecord],
        sign: Sign,
    ) -> Result<u64, StoreError> {
        let (mut head, mut uncovered) = (self.head, self.uncovered);
        let mut checkpoints = Vec::new();
        self.batch.begin(head.sequence + 1);
        // All records of a batch have the same time, so that a clock change cannot separate them.
        let now = Timestamp::now();
        let (sequencer, batch) = (&self.sequencer, &mut self.batch);
        if uncovered.is_due(now) {
            checkpoints.extend(sequencer.sign(now, &mut head, &mut uncovered, batch));
        }
        for record in own {
            sequencer.add(record, now, &mut head, &mut uncovered, batch);
        }
        let first = head.sequence + 1;
        for record in records {
            sequencer.add(record, now, &mut head, &mut uncovered, batch);
        }
        if sign == Sign::Yes && !uncovered.is_empty() {
            checkpoints.extend(sequencer.sign(now, &mut head, &mut uncovered, batch));
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

/// Whether to end a batch with a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Yes,
    No,
}
