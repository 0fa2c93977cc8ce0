//! The thread that exports spans.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use audit_log_forward::otlp::{Client, ExportResult, Failure, Receiver, Signal};
use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use super::convert::Converter;
use super::{Span, Status};
use crate::batch_queue::BatchReceiver;

/// Maximum number of spans in a batch.
const MAX_SPANS: usize = 512;

/// The interval between attempts to create the runtime.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

pub(super) struct Sender {
    receiver: Receiver,
    status: Arc<Status>,
    converter: Converter,
    /// Whether the receiver rejected spans of the last batch.
    was_rejected: bool,
}

impl Sender {
    pub(super) fn new(receiver: &Receiver, status: Arc<Status>) -> Self {
        Self {
            receiver: receiver.clone(),
            status,
            converter: Converter::new(),
            was_rejected: false,
        }
    }

    /// Exports spans until the queue is closed and empty.
    pub(super) fn run(mut self, mut queue: BatchReceiver<Span>) {
        priority::add_niceness(priority::BACKGROUND);
        let Some(runtime) = runtime(&queue) else {
            return;
        };
        let mut client = Client::new(&self.receiver, Signal::Traces);
        let mut spans = Vec::with_capacity(MAX_SPANS);
        while queue.recv_batch(&mut spans, MAX_SPANS) {
            if spans.is_empty() {
                continue;
            }
            let count = spans.len() as u64;
            let body = self.converter.request(&spans);
            spans.clear();
            match self.deliver(&runtime, &mut client, &queue, &body) {
                Some((rejected, reason)) => self.record_result(count, rejected, &reason),
                None => queue.record_dropped(count),
            }
        }
    }

    /// Exports a batch, with retries. Returns the number of rejected spans and the reason, or
    /// `None` if the queue is closed before the receiver responds.
    fn deliver(
        &self,
        runtime: &Runtime,
        client: &mut Client,
        queue: &BatchReceiver<Span>,
        body: &Bytes,
    ) -> Option<(u64, String)> {
        let mut attempts = 0;
        loop {
            let failure = match runtime.block_on(client.post(body.clone())) {
                Ok(ExportResult::Accepted { rejected, reason }) => return Some((rejected, reason)),
                Ok(ExportResult::Rejected(reason)) => return Some((u64::MAX, reason)),
                Ok(ExportResult::Retry(failure)) | Err(failure) => failure,
            };
            self.record_failure(&failure);
            if queue.pause(failure.retry_delay(attempts)) {
                return None;
            }
            attempts += 1;
        }
    }

    fn record_failure(&self, failure: &Failure) {
        let (receiver, reason) = (&self.receiver, &failure.reason);
        if self.status.is_failing.swap(true, Ordering::Relaxed) {
            tracing::debug!("still cannot send traces to `{receiver}`: {reason}");
        } else {
            tracing::warn!(
                "cannot send traces to `{receiver}`: {reason}; retrying, spans beyond the queue \
                 are dropped"
            );
        }
    }

    /// Records the receiver's response to a batch of `count` spans.
    fn record_result(&mut self, count: u64, rejected: u64, reason: &str) {
        let rejected = rejected.min(count);
        if self.status.is_failing.swap(false, Ordering::Relaxed) {
            tracing::info!("trace export resumed");
        }
        if rejected > 0 && !self.was_rejected {
            let receiver = &self.receiver;
            tracing::error!("`{receiver}` rejected {rejected} of {count} spans: {reason}");
        }
        self.was_rejected = rejected > 0;
        self.status.rejected.fetch_add(rejected, Ordering::Relaxed);
        let sent = count - rejected;
        self.status.sent.fetch_add(sent, Ordering::Relaxed);
    }
}

/// Creates a runtime, with retries while file descriptors are exhausted. Returns `None` if the
/// queue is closed before.
fn runtime(queue: &BatchReceiver<Span>) -> Option<Runtime> {
    loop {
        match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => return Some(runtime),
            Err(error) => log_no_runtime(&error),
        }
        if queue.pause(RETRY_INTERVAL) {
            return None;
        }
    }
}

fn log_no_runtime(error: &io::Error) {
    tracing::error!("cannot start the trace export: {error}; retrying");
}
