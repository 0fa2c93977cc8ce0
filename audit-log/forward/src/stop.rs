//! The end of forwarding.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The request to stop, and its deadline.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<Option<Instant>>);

impl Stop {
    pub(crate) fn new(deadline: watch::Receiver<Option<Instant>>) -> Self {
        Self(deadline)
    }

    /// Whether only the remaining records are to be sent.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }

    /// Waits until [`Stop::is_requested`].
    pub(crate) async fn requested(&mut self) {
        // An error means that the forwarder was dropped.
        let _ = self.0.wait_for(Option::is_some).await;
    }

    /// Waits until the deadline, or until the forwarder is dropped.
    pub(crate) async fn deadline_reached(&mut self) {
        let deadline = match self.0.wait_for(Option::is_some).await {
            Ok(deadline) => *deadline,
            Err(_) => None,
        };
        if let Some(deadline) = deadline {
            tokio::select! {
                () = sleep_until(deadline) => {}
                _ = self.0.wait_for(Option::is_none) => {}
            }
        }
    }
}
