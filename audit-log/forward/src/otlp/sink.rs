//! Publishing of audit records as OpenTelemetry log records.
//!
//! Guarantee: no record that the receiver accepts is lost. A record may arrive twice if a response
//! was lost, because a receiver does not deduplicate; its attributes `audit.node` and
//! `audit.sequence` identify it. Records that the receiver rejects for good, as OTLP defines it,
//! are counted and stay in the local log.
//!
use super::convert::Converter;
use super::{Client, ExportResult, Failure, Receiver, Signal};
use crate::outbox::{Outbox, OutboxRecord};
use crate::stop::Stop;

/// The maximum number of records in a batch.
const MAX_RECORDS: usize = 512;

/// The approximate maximum bytes of records in a batch.
const MAX_BYTES: usize = 1 << 20;

/// The state across connections.
pub(crate) struct Otlp {
    receiver: Receiver,
    converter: Converter,
    /// The records without a response.
    batch: Vec<OutboxRecord>,
    /// Whether records of the last batch were rejected.
    is_rejecting: bool,
}

impl Otlp {
    pub(crate) fn new(receiver: &Receiver, node: String) -> Self {
        Self {
            receiver: receiver.clone(),
            converter: Converter::new(node),
            batch: Vec::new(),
            is_rejecting: false,
        }
    }

    /// Connects, and sends until the connection is lost or a stop is requested.
    pub(crate) async fn send(
        &mut self,
        outbox: &mut Outbox,
        stop: &mut Stop,
    ) -> Result<(), Failure> {
        let mut client = Client::new(&self.receiver, Signal::Logs);
        if self.batch.is_empty() {
            // Reports a wrong address before the first record.
            client.connect().await?;
            outbox.report_recovery();
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
                let result = client.post(request).await?;
                self.settle(outbox, result)?;
                continue;
            }
            outbox.settle(outbox.last());
            outbox.save();
            let is_stopping = stop.is_requested();
            if is_stopping && outbox.last() >= outbox.written() {
                return Ok(());
            }
            tokio::select! {
                () = outbox.wait_for_records() => {}
                () = stop.requested(), if !is_stopping => {}
            }
        }
    }

    /// Settles the batch by its result.
    fn settle(&mut self, outbox: &mut Outbox, result: ExportResult) -> Result<(), Failure> {
        let count = self.batch.len() as u64;
        let (rejected, reason) = match result {
            ExportResult::Accepted { rejected, reason } => (rejected.min(count), reason),
            ExportResult::Rejected(reason) => (count, reason),
            ExportResult::Retry(failure) => return Err(failure),
        };
        if rejected > 0 && !self.is_rejecting {
            tracing::error!(
                "`{}` rejects audit records: {reason}; {rejected} of {count} records stay in the \
                 local log only",
                self.receiver
            );
        } else if rejected == 0 && self.is_rejecting {
            tracing::info!("audit records are accepted again");
        }
        self.is_rejecting = rejected > 0;
        outbox.status.rejected(rejected);
        outbox.status.forwarded(count - rejected);
        if let Some(last) = self.batch.last() {
            outbox.settle(last.sequence);
        }
        self.batch.clear();
        outbox.report_recovery();
        Ok(())
    }
}
