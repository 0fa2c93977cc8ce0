//! Limit of concurrent operations.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Admits a limited number of operations at the same time.
#[derive(Debug, Clone)]
pub(super) struct ConcurrencyLimit(Arc<Semaphore>);

/// An admitted operation. Dropping it admits the next one.
pub(super) type Permit = OwnedSemaphorePermit;

impl ConcurrencyLimit {
    pub(super) fn new(max_concurrent: usize) -> Self {
        let permits = max_concurrent.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(permits)))
    }

    /// Waits for a permit. Calls are served in order.
    pub(super) async fn acquire(&self) -> Option<Permit> {
        // Only a closed semaphore fails, and this one stays open.
        self.0.clone().acquire_owned().await.ok()
    }
}
