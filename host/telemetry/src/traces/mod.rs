//! Traces: a span for each request, sent to a receiver of OpenTelemetry.
//!
//! - this file: [`Tracer`], which takes the spans.
//! - `span.rs`: what is known of a request, and which trace it belongs to.
//! - `convert.rs`: the same as messages of OpenTelemetry.
//! - `sender.rs`: the thread that sends them.

mod convert;
mod sender;
mod span;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use audit_log_forward::otlp::Receiver;

use crate::batch_queue::{BatchQueue, Capacity};
use sender::Sender;
pub(crate) use span::{RequestAttributes, Span, SpanContext};

/// What may wait to be sent.
const CAPACITY: Capacity = Capacity {
    items: 4096,
    bytes: 8 << 20,
    delay: Duration::from_secs(1),
};

/// Sends spans, on a thread of its own, a second after they ended or later. A receiver
/// that is away is tried until it is back. What does not fit in between is dropped and
/// counted.
#[derive(Debug)]
pub struct Tracer {
    spans: BatchQueue<Span>,
    status: Arc<Status>,
}

/// What became of the spans.
#[derive(Debug, Default)]
struct Status {
    sent: AtomicU64,
    rejected: AtomicU64,
    is_failing: AtomicBool,
}

/// What became of the spans, since the start of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceMetrics {
    /// Spans whose arrival was confirmed.
    pub sent: u64,
    /// Spans that the receiver does not take.
    pub rejected: u64,
    /// Spans that were dropped because there was no room for them.
    pub dropped: u64,
    /// Whether the receiver could not be reached when it was last tried.
    pub is_failing: bool,
}

impl Tracer {
    /// Begins to send spans to `receiver`. One that cannot be reached is no error.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread.
    pub fn start(receiver: &Receiver) -> io::Result<Self> {
        let status = Arc::new(Status::default());
        let sender = Sender::new(receiver, status.clone());
        let spans = BatchQueue::start("traces", CAPACITY, |inbox| sender.run(inbox))?;
        Ok(Self { spans, status })
    }

    /// Sends a span, some time.
    pub(crate) fn send(&self, span: Span) {
        let bytes = span.bytes();
        self.spans.send(span, bytes);
    }

    /// What became of the spans.
    #[must_use]
    pub fn metrics(&self) -> TraceMetrics {
        TraceMetrics {
            sent: self.status.sent.load(Ordering::Relaxed),
            rejected: self.status.rejected.load(Ordering::Relaxed),
            dropped: self.spans.dropped(),
            is_failing: self.status.is_failing.load(Ordering::Relaxed),
        }
    }

    /// Sends what is left, for `deadline` at most.
    pub async fn close(&self, deadline: Duration) {
        if !self.spans.close(deadline).await {
            tracing::warn!("the receiver of the traces did not take the last spans in time");
        }
    }
}
