//! Liveness: heartbeats of the workers.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use telemetry::Heartbeats;

/// Maximum stall of the event loop of a worker: far beyond the pauses of a busy worker, and below
/// the timeout of an admin connection.
const MAX_STALL: Duration = Duration::from_secs(5);

/// Liveness of the event loops of all workers, which `/livez` reports.
#[derive(Debug, Clone)]
pub struct Liveness {
    workers: Arc<Heartbeats>,
}

impl Liveness {
    /// The liveness of these workers.
    #[must_use]
    pub fn new(workers: Arc<Heartbeats>) -> Self {
        Self { workers }
    }

    /// The stalled workers, if any. It returns at once if all event loops run.
    pub(super) async fn obstacle(&self) -> Option<String> {
        let stalled = self.workers.stalled(MAX_STALL).await;
        let (first, others) = stalled.split_first()?;
        let mut text = format!("the event loop has not run for {} s: ", MAX_STALL.as_secs());
        // Writing to a string does not fail.
        let _ = write!(text, "worker-{first}");
        for other in others {
            let _ = write!(text, ", worker-{other}");
        }
        tracing::error!("{text}");
        Some(text)
    }
}
