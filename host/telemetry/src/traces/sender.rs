//! The thread that sends spans.

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

/// The most spans in a batch.
const MAX_SPANS: usize = 512;

/// How long to wait where the system does not let it work.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Sender {
    receiver: Receiver,
    status: Arc<Status>,
    converter: Converter,
    /// Whether the last batch was refused.
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

    /// Sends spans until there will be no more.
    pub(super) fn run(mut self, mut inbox: BatchReceiver<Span>) {
        priority::add_niceness(priority::BACKGROUND);
        let Some(runtime) = runtime(&inbox) else {
            return;
        };
        let mut client = Client::new(&self.receiver, Signal::Traces);
        let mut spans = Vec::with_capacity(MAX_SPANS);
        while inbox.wait(&mut spans, MAX_SPANS) {
            if spans.is_empty() {
                continue;
            }
            let count = spans.len() as u64;
            let body = self.converter.request(&spans);
            spans.clear();
            match self.deliver(&runtime, &mut client, &inbox, &body) {
                Some((rejected, why)) => self.record_result(count, rejected, &why),
                None => inbox.drop_items(count),
            }
        }
    }

    /// Sends a batch, again and again if it must. Returns how many of its spans were
    /// rejected, and why; or nothing if there was no answer before the end.
    fn deliver(
        &self,
        runtime: &Runtime,
        client: &mut Client,
        inbox: &BatchReceiver<Span>,
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
            if inbox.pause(failure.retry_delay(attempts)) {
                return None;
            }
            attempts += 1;
        }
    }

    fn record_failure(&self, failure: &Failure) {
        let (receiver, why) = (&self.receiver, &failure.reason);
        if self.status.is_failing.swap(true, Ordering::Relaxed) {
            tracing::debug!("still cannot send traces to `{receiver}`: {why}");
        } else {
            tracing::warn!(
                "cannot send traces to `{receiver}`: {why}; it is tried again, and what does not \
                 fit in memory meanwhile is dropped"
            );
        }
    }

    /// Notes what the receiver said of `count` spans.
    fn record_result(&mut self, count: u64, rejected: u64, why: &str) {
        let rejected = rejected.min(count);
        if self.status.is_failing.swap(false, Ordering::Relaxed) {
            tracing::info!("traces are sent again");
        }
        if rejected > 0 && !self.was_rejected {
            let receiver = &self.receiver;
            tracing::error!("`{receiver}` refuses {rejected} of {count} spans: {why}");
        }
        self.was_rejected = rejected > 0;
        self.status.rejected.fetch_add(rejected, Ordering::Relaxed);
        let sent = count - rejected;
        self.status.sent.fetch_add(sent, Ordering::Relaxed);
    }
}

/// A runtime, as soon as the system has the file descriptors for one, or nothing if the
/// end comes before.
fn runtime(inbox: &BatchReceiver<Span>) -> Option<Runtime> {
    loop {
        match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => return Some(runtime),
            Err(error) => log_no_runtime(&error),
        }
        if inbox.pause(PAUSE) {
            return None;
        }
    }
}

fn log_no_runtime(error: &io::Error) {
    tracing::error!("cannot begin to send traces: {error}; it is tried again");
}
