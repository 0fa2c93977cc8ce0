//! Whether workers have more to do than they get done.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep;

/// How long after the last sign of it workers count as crowded.
const PERIOD: Duration = Duration::from_millis(100);

/// How often whoever waits for the end of it looks.
const LOOK: Duration = Duration::from_millis(1);

/// Tells the offload threads whether requests or connections wait for a worker.
#[derive(Debug)]
pub(crate) struct Crowding {
    start: Instant,
    /// Until when workers count as crowded, in microseconds after the start.
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

    /// Waits until workers are crowded no more.
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
    fn it_begins_with_a_note_and_ends_without() {
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
