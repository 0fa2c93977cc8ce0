//! Whether workers have more ready work than time.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep;

/// The period for which workers count as crowded after the last sign of it.
const PERIOD: Duration = Duration::from_millis(100);

/// The interval in which waiters check whether it has ended.
const LOOK: Duration = Duration::from_millis(1);

/// Tells offload threads whether requests or connections wait for a worker.
#[derive(Debug)]
pub(crate) struct Crowding {
    start: Instant,
    /// The end of the crowded period, in microseconds after the start.
    until: AtomicU64,
    begun: Notify,
}

impl Default for Crowding {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            until: AtomicU64::new(0),
            begun: Notify::new(),
        }
    }
}

impl Crowding {
    /// Notes that requests or connections wait for a worker.
    pub(crate) fn note(&self) {
        let now = self.start.elapsed();
        let before = self.until.swap(micros(now + PERIOD), Ordering::Relaxed);
        if before <= micros(now) {
            self.begun.notify_waiters();
        }
    }

    /// Whether workers are crowded.
    pub(crate) fn is_on(&self) -> bool {
        micros(self.start.elapsed()) < self.until.load(Ordering::Relaxed)
    }

    /// Waits until workers are crowded.
    pub(crate) async fn begins(&self) {
        loop {
            let mut begun = pin!(self.begun.notified());
            begun.as_mut().enable();
            if self.is_on() {
                return;
            }
            begun.await;
        }
    }

    /// Waits until workers are no longer crowded.
    pub(crate) async fn ends(&self) {
        while self.is_on() {
            sleep(LOOK).await;
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn crowding_begins_with_a_note_and_ends_without() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let crowding = Crowding::default();
            crowding.ends().await;
            assert!(!crowding.is_on());
            let note = async {
                sleep(LOOK).await;
                crowding.note();
            };
            tokio::join!(crowding.begins(), note);
            crowding.begins().await;
            crowding.ends().await;
            assert!(!crowding.is_on());
        });
    }
}
