//! Whether the server does its work.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use telemetry::Heartbeats;

/// How long the event loop of a worker may not run. Far beyond what the busiest worker needs,
/// and less than a connection of an operator may take.
const MAX_STALL: Duration = Duration::from_secs(5);

/// Whether the event loops of all workers run, which `/livez` reports.
#[derive(Debug, Clone)]
pub struct Liveness {
    workers: Arc<Heartbeats>,
}

impl Liveness {
    /// That of the server that these workers belong to.
    #[must_use]
    pub fn new(workers: Arc<Heartbeats>) -> Self {
        Self { workers }
    }

    /// What is wrong, if anything is: workers that do not work. A server whose workers do
    /// answers at once.
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
