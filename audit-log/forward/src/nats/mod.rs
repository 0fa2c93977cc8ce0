//! To a stream of NATS `JetStream`.
//!
//! A record is a message with the subject `audit.NODE`, its canonical bytes are the
//! payload, and `Nats-Msg-Id` is `NODE-SEQUENCE`. A record counts as sent when the
//! server has confirmed that the stream holds it.
//!
//! What this promises, as long as the stream keeps what it confirmed:
//!
//! - No record is lost, whatever becomes of the connection, the server or this
//!   process. If the stream ends earlier than what it confirmed (a server that does
//!   not sync each message lost its power, or it was restored from a copy), what it
//!   lacks is sent again; into a stream that never held a message, everything is.
//! - No record is twice in the stream. After each connection the stream is asked
//!   which of the unconfirmed records it holds, and those are not sent again. What
//!   the last connection had on its way at that moment is recognized by its
//!   `Nats-Msg-Id`, within the window of the stream (two minutes by default).
//! - The records of a node are in order, unless the server refused one in the middle
//!   and took a later one, as a full stream may.
//!
//! - this file: one connection, and what is on its way.
//! - `connect.rs`: how it is made.
//! - `reconcile.rs`: what the stream holds already.

mod connect;
mod reconcile;

use std::collections::{BTreeSet, VecDeque};
use std::error::Error;
use std::pin::Pin;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::{self, ErrorCode};

use crate::outbox::{Outbox, Waiting};
use crate::remote::{Failure, with_sources};
use crate::target::NatsTarget;
use crate::worker::{Stop, works};
use connect::Connection;
use reconcile::Place;

/// How many records may be on their way. A later version must not have fewer: what
/// the stream may lack is looked for among as many.
const MAX_RECORDS: usize = 256;

/// How many bytes may be.
const MAX_BYTES: usize = 8 << 20;

/// What is known of all connections.
pub(crate) struct Nats {
    target: NatsTarget,
    node: String,
    subject: async_nats::Subject,
    /// Records whose arrival is not confirmed, in order.
    unconfirmed: VecDeque<Waiting>,
    /// The sum of their bytes.
    bytes: usize,
}

/// What becomes of a record that was sent.
enum Answer {
    Waiting(Pin<Box<dyn Future<Output = Result<PublishAck, PublishError>> + Send>>),
    /// The stream held it before.
    Stored,
    TooLarge,
}

/// What became of it.
enum Answered {
    /// The stream of this name holds it.
    By(String),
    /// The stream held it before.
    Stored,
    TooLarge,
    Refused(PublishError),
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

    /// Connects and sends, until the connection is lost or it is time to stop.
    pub(crate) async fn send(
        &mut self,
        outbox: &mut Outbox,
        stop: &mut Stop,
    ) -> Result<(), Failure> {
        let mut connection = Connection::open(&self.target).await?;
        let mut stored = self.find_place(&connection, outbox).await?;
        let jetstream = connection.jetstream.clone();
        // Of the first of `unconfirmed`, so many.
        let mut answers = VecDeque::with_capacity(MAX_RECORDS);
        for record in &self.unconfirmed {
            answers.push_back(self.publish(&jetstream, record, &mut stored).await?);
        }
        if answers.is_empty() {
            works(outbox);
        }
        let mut is_exhausted = false;
        loop {
            while !is_exhausted && self.unconfirmed.len() < MAX_RECORDS && self.bytes < MAX_BYTES {
                match outbox.next()? {
                    Some(record) => {
                        answers.push_back(self.publish(&jetstream, &record, &mut stored).await?);
                        self.bytes += record.bytes.len();
                        self.unconfirmed.push_back(record);
                    }
                    None => is_exhausted = true,
                }
            }
            let is_stopping = stop.is_asked();
            if answers.is_empty() {
                outbox.settle(outbox.last());
                outbox.save();
                if is_stopping && outbox.last() >= outbox.written() {
                    return Ok(());
                }
            }
            tokio::select! {
                biased;
                why = connection.lost() => return Err(why),
                answer = first(&mut answers), if !answers.is_empty() => {
                    answers.pop_front();
                    self.confirm(outbox, answer)?;
                }
                () = outbox.more(), if is_exhausted => is_exhausted = false,
                () = stop.asked(), if !is_stopping => is_exhausted = false,
            }
        }
    }

    /// Finds out where to go on, and which records beyond that are there already.
    async fn find_place(
        &mut self,
        connection: &Connection,
        outbox: &mut Outbox,
    ) -> Result<BTreeSet<u64>, Failure> {
        let settled = outbox.settled();
        let subject = self.subject.as_str();
        match reconcile::find(&connection.stream, subject, &self.node, settled).await? {
            Place::AsKnown => Ok(BTreeSet::new()),
            Place::Behind(sequence) => {
                tracing::warn!(
                    "the stream `{}` holds the records of the node `{}` up to {sequence}, and \
                     has confirmed those up to {settled}; they are sent again",
                    self.target.stream,
                    self.node
                );
                self.unconfirmed.clear();
                self.bytes = 0;
                outbox.go_on_after(sequence);
                Ok(BTreeSet::new())
            }
            Place::Ahead { last, .. } if last > outbox.written() => {
                tracing::error!(
                    "the stream `{}` holds the record {last} of the node `{}`, and the log ends \
                     at {}: it was restored from a copy, or two servers have the same name; \
                     compare the two, and begin a new log with another name",
                    self.target.stream,
                    self.node,
                    outbox.written()
                );
                Ok(BTreeSet::new())
            }
            Place::Ahead { whole, stored, .. } => {
                while let Some(record) = self.unconfirmed.front()
                    && record.sequence <= whole
                {
                    self.take(outbox);
                }
                if outbox.last() < whole {
                    outbox.go_on_after(whole);
                }
                Ok(stored)
            }
        }
    }

    async fn publish(
        &self,
        jetstream: &jetstream::Context,
        record: &Waiting,
        stored: &mut BTreeSet<u64>,
    ) -> Result<Answer, Failure> {
        if stored.remove(&record.sequence) {
            return Ok(Answer::Stored);
        }
        let message = PublishMessage::build()
            .payload(record.bytes.clone())
            .message_id(format!("{}-{}", self.node, record.sequence));
        match jetstream.send_publish(self.subject.clone(), message).await {
            Ok(answer) => Ok(Answer::Waiting(answer.into_future())),
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                Ok(Answer::TooLarge)
            }
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// Takes the answer about the first record.
    fn confirm(&mut self, outbox: &mut Outbox, answer: Answered) -> Result<(), Failure> {
        match answer {
            Answered::Stored => {}
            Answered::By(stream) if stream == self.target.stream => {}
            Answered::By(stream) => {
                return Err(Failure::new(format!(
                    "the subject `{}` belongs to the stream `{stream}`; name that, or change the \
                     subjects of the two",
                    self.subject
                )));
            }
            Answered::TooLarge => {
                if let Some(record) = self.unconfirmed.front() {
                    tracing::error!(
                        "the record {} of {} bytes is larger than the stream `{}` allows, and \
                         was not forwarded; raise `max_msg_size` or `max_payload`",
                        record.sequence,
                        record.bytes.len(),
                        self.target.stream
                    );
                }
                outbox.status.rejected(1);
                self.take(outbox);
                return Ok(());
            }
            Answered::Refused(error) => return Err(self.explain(&error)),
        }
        outbox.status.forwarded(1);
        self.take(outbox);
        works(outbox);
        Ok(())
    }

    /// Forgets the first record, which needs nothing more.
    fn take(&mut self, outbox: &mut Outbox) {
        if let Some(record) = self.unconfirmed.pop_front() {
            self.bytes -= record.bytes.len();
            outbox.settle(record.sequence);
        }
    }

    fn explain(&self, error: &PublishError) -> Failure {
        Failure::new(match error.kind() {
            PublishErrorKind::StreamNotFound => format!(
                "no stream takes the subject `{}`; give the stream `{}` the subject `audit.>`",
                self.subject, self.target.stream
            ),
            PublishErrorKind::TimedOut => "no answer in time".to_owned(),
            _ => with_sources(error),
        })
    }
}

/// Waits for the answer about the first record. To be called again if it is
/// dropped.
async fn first(answers: &mut VecDeque<Answer>) -> Answered {
    match answers.front_mut() {
        Some(Answer::Waiting(answer)) => match answer.await {
            Ok(answer) => Answered::By(answer.stream),
            Err(error) if is_too_large(&error) => Answered::TooLarge,
            Err(error) => Answered::Refused(error),
        },
        Some(Answer::Stored) => Answered::Stored,
        Some(Answer::TooLarge) => Answered::TooLarge,
        None => std::future::pending().await,
    }
}

/// Whether the server will say the same of this record however often it is sent.
fn is_too_large(error: &PublishError) -> bool {
    let source = error.source();
    source
        .and_then(|source| source.downcast_ref::<jetstream::Error>())
        .is_some_and(|error| error.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)
}
