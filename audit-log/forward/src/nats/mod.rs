//! Publishing of audit records to a NATS `JetStream` stream.
//!
//! A record is a message with the subject `audit.NODE`, its canonical bytes are the payload, and
//! `Nats-Msg-Id` is `NODE-SEQUENCE`. A record counts as sent when the server has confirmed that the
//! stream stored it.
//!
//! Guarantees, as long as the stream keeps the records that it confirmed:
//!
//! - No record is lost if the connection, the server or this process fails. If the stream ends
//!   earlier than the last confirmed record (a server that does not sync each message lost power,
//!   or the stream was restored from a copy), the missing records are sent again; a stream that
//!   never held a message gets the whole log.
//! - No record is in the stream twice. After each connection the stream is queried for the
//!   unconfirmed records, and those that it holds are not sent again. Records in flight on the last
//!   connection at that moment are deduplicated by their `Nats-Msg-Id`, within the duplicate window
//!   of the stream (two minutes by default).
//! - The records of a node are in order, unless the server rejected one and accepted a later one,
//!   as a full stream may.
//!
//! - this file: publishing on one connection, and the records in flight.
//! - `connect.rs`: connecting.
//! - `reconcile.rs`: comparison of the stream with the confirmed records.

mod connect;
mod reconcile;

use std::collections::{BTreeSet, VecDeque};
use std::error::Error;
use std::pin::Pin;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::{self, ErrorCode};
use sanitize::error_chain;

use crate::connection::Failure;
use crate::outbox::{Outbox, OutboxRecord};
use crate::stop::Stop;
use crate::target::NatsTarget;
use connect::Connection;
use reconcile::StreamPosition;

/// The maximum number of records in flight. A later version must not lower it: records that the
/// stream may lack are searched among this number.
const MAX_RECORDS: usize = 256;

/// The maximum bytes in flight.
const MAX_BYTES: usize = 8 << 20;

/// The state across connections.
pub(crate) struct Nats {
    target: NatsTarget,
    node: String,
    subject: async_nats::Subject,
    /// The unconfirmed records, in order.
    unconfirmed: VecDeque<OutboxRecord>,
    /// The sum of their bytes.
    bytes: usize,
}

/// The pending acknowledgement of a record.
enum PendingAck {
    Waiting(Pin<Box<dyn Future<Output = Result<PublishAck, PublishError>> + Send>>),
    /// The stream stored it before.
    AlreadyStored,
    TooLarge,
}

/// The acknowledgement of a record.
enum Ack {
    /// The stream of this name stored it.
    StoredBy(String),
    /// The stream stored it before.
    AlreadyStored,
    TooLarge,
    Failed(PublishError),
}

impl Nats {
    pub(crate) fn new(target: &NatsTarget, node: String) -> Self {
        Self {
            target: target.clone(),
            subject: format!("audit.{node}").into(),
            node,
            unconfirmed: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Connects, and sends until the connection is lost or a stop is requested.
    pub(crate) async fn send(
        &mut self,
        outbox: &mut Outbox,
        stop: &mut Stop,
    ) -> Result<(), Failure> {
        let mut connection = Connection::open(&self.target).await?;
        let mut stored = self.reconcile(&connection, outbox).await?;
        let jetstream = connection.jetstream.clone();
        // The acknowledgements of the first records of `unconfirmed`.
        let mut acks = VecDeque::with_capacity(MAX_RECORDS);
        for record in &self.unconfirmed {
            acks.push_back(self.publish(&jetstream, record, &mut stored).await?);
        }
        if acks.is_empty() {
            outbox.report_recovery();
        }
        let mut is_exhausted = false;
        loop {
            while !is_exhausted && self.unconfirmed.len() < MAX_RECORDS && self.bytes < MAX_BYTES {
                match outbox.next()? {
                    Some(record) => {
                        acks.push_back(self.publish(&jetstream, &record, &mut stored).await?);
                        self.bytes += record.bytes.len();
                        self.unconfirmed.push_back(record);
                    }
                    None => is_exhausted = true,
                }
            }
            let is_stopping = stop.is_requested();
            if acks.is_empty() {
                outbox.settle(outbox.last());
                outbox.save();
                if is_stopping && outbox.last() >= outbox.written() {
                    return Ok(());
                }
            }
            tokio::select! {
                biased;
                failure = connection.lost() => return Err(failure),
                ack = first(&mut acks), if !acks.is_empty() => {
                    acks.pop_front();
                    self.confirm(outbox, ack)?;
                }
                () = outbox.wait_for_records(), if is_exhausted => is_exhausted = false,
                () = stop.requested(), if !is_stopping => is_exhausted = false,
            }
        }
    }

    /// Finds the record after which to continue. Returns the later records that the stream holds.
    async fn reconcile(
        &mut self,
        connection: &Connection,
        outbox: &mut Outbox,
    ) -> Result<BTreeSet<u64>, Failure> {
        let settled = outbox.settled();
        let subject = self.subject.as_str();
        match reconcile::compare(&connection.stream, subject, &self.node, settled).await? {
            StreamPosition::Matches => Ok(BTreeSet::new()),
            StreamPosition::Behind(sequence) => {
                tracing::warn!(
                    "the stream `{}` holds the records of the node `{}` up to {sequence}, but has \
                     confirmed those up to {settled}; the missing ones are sent again",
                    self.target.stream,
                    self.node
                );
                self.unconfirmed.clear();
                self.bytes = 0;
                outbox.seek(sequence);
                Ok(BTreeSet::new())
            }
            StreamPosition::Ahead { last, .. } if last > outbox.written() => {
                tracing::error!(
                    "the stream `{}` holds record {last} of the node `{}`, but the log ends with \
                     record {}: the log was restored from a copy, or two servers have the same \
                     name; compare log and stream, and start a new log with another name",
                    self.target.stream,
                    self.node,
                    outbox.written()
                );
                Ok(BTreeSet::new())
            }
            StreamPosition::Ahead {
                contiguous, stored, ..
            } => {
                while let Some(record) = self.unconfirmed.front()
                    && record.sequence <= contiguous
                {
                    self.settle_first(outbox);
                }
                if outbox.last() < contiguous {
                    outbox.seek(contiguous);
                }
                Ok(stored)
            }
        }
    }

    async fn publish(
        &self,
        jetstream: &jetstream::Context,
        record: &OutboxRecord,
        stored: &mut BTreeSet<u64>,
    ) -> Result<PendingAck, Failure> {
        if stored.remove(&record.sequence) {
            return Ok(PendingAck::AlreadyStored);
        }
        let message = PublishMessage::build()
            .payload(record.bytes.clone())
            .message_id(format!("{}-{}", self.node, record.sequence));
        match jetstream.send_publish(self.subject.clone(), message).await {
            Ok(ack) => Ok(PendingAck::Waiting(ack.into_future())),
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                Ok(PendingAck::TooLarge)
            }
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// Processes the acknowledgement of the first unconfirmed record.
    fn confirm(&mut self, outbox: &mut Outbox, ack: Ack) -> Result<(), Failure> {
        match ack {
            Ack::AlreadyStored => {}
            Ack::StoredBy(stream) if stream == self.target.stream => {}
            Ack::StoredBy(stream) => {
                return Err(Failure::new(format!(
                    "the subject `{}` belongs to the stream `{stream}`; name that stream, or change \
                     the subjects of both",
                    self.subject
                )));
            }
            Ack::TooLarge => {
                if let Some(record) = self.unconfirmed.front() {
                    tracing::error!(
                        "record {} of {} bytes exceeds the limit of the stream `{}` and was not \
                         forwarded; raise `max_msg_size` or `max_payload`",
                        record.sequence,
                        record.bytes.len(),
                        self.target.stream
                    );
                }
                outbox.status.rejected(1);
                self.settle_first(outbox);
                return Ok(());
            }
            Ack::Failed(error) => return Err(self.explain(&error)),
        }
        outbox.status.forwarded(1);
        self.settle_first(outbox);
        outbox.report_recovery();
        Ok(())
    }

    /// Settles the first unconfirmed record.
    fn settle_first(&mut self, outbox: &mut Outbox) {
        if let Some(record) = self.unconfirmed.pop_front() {
            self.bytes -= record.bytes.len();
            outbox.settle(record.sequence);
        }
    }

    fn explain(&self, error: &PublishError) -> Failure {
        Failure::new(match error.kind() {
            PublishErrorKind::StreamNotFound => format!(
                "no stream has the subject `{}`; add the subject `audit.>` to the stream `{}`",
                self.subject, self.target.stream
            ),
            PublishErrorKind::TimedOut => "response timeout".to_owned(),
            _ => error_chain(error),
        })
    }
}

/// Waits for the acknowledgement of the first record. Cancel-safe.
async fn first(acks: &mut VecDeque<PendingAck>) -> Ack {
    match acks.front_mut() {
        Some(PendingAck::Waiting(ack)) => match ack.await {
            Ok(ack) => Ack::StoredBy(ack.stream),
            Err(error) if is_too_large(&error) => Ack::TooLarge,
            Err(error) => Ack::Failed(error),
        },
        Some(PendingAck::AlreadyStored) => Ack::AlreadyStored,
        Some(PendingAck::TooLarge) => Ack::TooLarge,
        None => std::future::pending().await,
    }
}

/// Whether the server will reject this record at each attempt.
fn is_too_large(error: &PublishError) -> bool {
    let source = error.source();
    source
        .and_then(|source| source.downcast_ref::<jetstream::Error>())
        .is_some_and(|error| error.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)
}
