//! Traces: a span for each request, exported to an OpenTelemetry receiver.
//!
//! - this file: [`Tracer`], which queues the spans.
//! - `span.rs`: attributes and trace context of a span.
//! - `convert.rs`: conversion to OTLP.
//! - `sender.rs`: the thread that exports the spans.
//!
//! `BatchSpanProcessor` of `opentelemetry_sdk` is not used: its queue has a limit in spans and not
//! in bytes, its count of dropped spans is private, and its thread has no runtime for the client of
//! OTLP.

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

/// The limits of the export queue.
const CAPACITY: Capacity = Capacity {
    items: 4096,
    bytes: 8 << 20,
    max_delay: Duration::from_secs(1),
};

/// Exports spans on a dedicated thread, a second after their end or later. While the receiver is
/// unreachable, the export is retried; spans beyond the queue are dropped and counted.
#[derive(Debug)]
pub struct Tracer {
    spans: BatchQueue<Span>,
    status: Arc<Status>,
}

/// Counters of the export, which the sender updates.
#[derive(Debug, Default)]
struct Status {
    sent: AtomicU64,
    rejected: AtomicU64,
    is_failing: AtomicBool,
}

/// Metrics of the export since the start of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceMetrics {
    /// Spans that the receiver accepted.
    pub sent: u64,
    /// Spans that the receiver rejected.
    pub rejected: u64,
    /// Spans that were dropped because the queue was full or closed.
    pub dropped: u64,
    /// Whether the last export failed.
    pub is_failing: bool,
}

impl Tracer {
    /// Starts to export spans to `receiver`, which need not be reachable yet.
    ///
    /// # Errors
    ///
    /// Fails if the thread cannot be spawned.
    pub fn start(receiver: &Receiver) -> io::Result<Self> {
        let status = Arc::new(Status::default());
        let sender = Sender::new(receiver, status.clone());
        let spans = BatchQueue::start("traces", CAPACITY, |queue| sender.run(queue))?;
        Ok(Self { spans, status })
    }

    /// Queues a span for export.
    pub(crate) fn send(&self, span: Span) {
        let bytes = span.bytes();
        self.spans.try_send(span, bytes);
    }

    /// The metrics of the export.
    #[must_use]
    pub fn metrics(&self) -> TraceMetrics {
        TraceMetrics {
            sent: self.status.sent.load(Ordering::Relaxed),
            rejected: self.status.rejected.load(Ordering::Relaxed),
            dropped: self.spans.dropped(),
            is_failing: self.status.is_failing.load(Ordering::Relaxed),
        }
    }

    /// Exports the queued spans, for `deadline` at most.
    pub async fn close(&self, deadline: Duration) {
        if !self.spans.close(deadline).await {
            tracing::warn!("trace export timed out, the last spans are lost");
        }
    }
}
