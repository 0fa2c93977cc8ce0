//! As log records of OpenTelemetry: OTLP over HTTP, in protobuf.
//!
//! What this promises: no record is lost that the receiver would take. One may
//! arrive twice if an answer was lost, because a receiver remembers nothing; its
//! attributes `audit.node` and `audit.sequence` tell. What the receiver refuses for
//! good, as OTLP defines it, is counted and stays in the local log.
//!
use super::convert::Converter;
use super::{Answer, Client, Failure, Kind, Receiver};
use crate::outbox::{Outbox, Waiting};
use crate::worker::{Stop, works};

/// The most records in a batch.
const MAX_RECORDS: usize = 512;

/// The most bytes of records in a batch, about.
const MAX_BYTES: usize = 1 << 20;

/// What is known of all connections.
pub(crate) struct Otlp {
    receiver: Receiver,
    converter: Converter,
    /// What was not taken yet.
    batch: Vec<Waiting>,
    /// Whether the last batch was refused.
    is_refused: bool,
}

impl Otlp {
    pub(crate) fn new(receiver: &Receiver, node: String) -> Self {
        Self {
            receiver: receiver.clone(),
            converter: Converter::new(node),
            batch: Vec::new(),
            is_refused: false,
        }
    }

    /// Connects and sends, until the connection is lost or it is time to stop.
    pub(crate) async fn send(
        &mut self,
        outbox: &mut Outbox,
        stop: &mut Stop,
    ) -> Result<(), Failure> {
        let mut client = Client::new(&self.receiver, Kind::Logs);
        if self.batch.is_empty() {
            // Otherwise nobody would hear of a wrong address before the first record.
            client.connect().await?;
            works(outbox);
        }
        loop {
            let mut bytes: usize = self.batch.iter().map(|record| record.bytes.len()).sum();
            while self.batch.len() < MAX_RECORDS && bytes < MAX_BYTES {
                let Some(record) = outbox.next()? else { break };
                bytes += record.bytes.len();
                self.batch.push(record);
            }
            if !self.batch.is_empty() {
                let request = self.converter.request(&self.batch);
                let answer = client.post(request).await?;
                self.take(outbox, answer)?;
                continue;
            }
            outbox.settle(outbox.last());
            outbox.save();
            let is_stopping = stop.is_asked();
            if is_stopping && outbox.last() >= outbox.written() {
                return Ok(());
            }
            tokio::select! {
                () = outbox.more() => {}
                () = stop.asked(), if !is_stopping => {}
            }
        }
    }

    /// Takes the answer about the batch.
    fn take(&mut self, outbox: &mut Outbox, answer: Answer) -> Result<(), Failure> {
        let count = self.batch.len() as u64;
        let (rejected, why) = match answer {
            Answer::Taken { rejected, why } => (rejected.min(count), why),
            Answer::Refused(why) => (count, why),
            Answer::Later(failure) => return Err(failure),
        };
        if rejected > 0 && !self.is_refused {
            tracing::error!(
                "the audit log is refused by `{}`: {why}; {rejected} of {count} records \
                 were not taken, and stay in the local log",
                self.receiver
            );
        } else if rejected == 0 && self.is_refused {
            tracing::info!("the audit log is taken again");
        }
        self.is_refused = rejected > 0;
        outbox.status.rejected(rejected);
        outbox.status.forwarded(count - rejected);
        if let Some(last) = self.batch.last() {
            outbox.settle(last.sequence);
        }
        self.batch.clear();
        works(outbox);
        Ok(())
    }
}
