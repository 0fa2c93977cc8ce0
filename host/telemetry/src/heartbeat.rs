//! Heartbeats: liveness of the event loop of each worker.
//!
//! A worker sends no heartbeat by itself: it replies to pings, so that an idle server does
//! nothing. The reply comes from a task of its event loop, which runs as soon as the loop does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// The heartbeats of all workers, for `/livez`.
#[derive(Debug, Default)]
pub struct Heartbeats {
    workers: OnceLock<Vec<Arc<Heartbeat>>>,
    /// Whether workers may end.
    is_draining: AtomicBool,
}

/// The heartbeat of one worker.
#[derive(Debug)]
pub struct Heartbeat {
    /// The number of the last ping.
    pings: watch::Sender<u64>,
    /// The number of the last ping that has a reply. Closed when the worker ends.
    replies: watch::Receiver<u64>,
    /// The time of the oldest ping that has no reply yet.
    since: Mutex<Option<Instant>>,
}

/// The worker's end of its heartbeat.
#[derive(Debug)]
pub struct HeartbeatResponder {
    pings: watch::Receiver<u64>,
    replies: watch::Sender<u64>,
}

impl Heartbeats {
    /// Watches these workers from now on.
    pub fn watch(&self, workers: Vec<Arc<Heartbeat>>) {
        // A process runs one server.
        let _ = self.workers.set(workers);
    }

    /// Workers may end from now on.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// The indices of the workers whose event loop has ended, or has not run for `limit`. Waits for
    /// the slowest reply, for `limit` at most; less if a ping of an earlier call has no reply yet.
    pub async fn stalled(&self, limit: Duration) -> Vec<usize> {
        let workers = self.workers.get().map_or(&[][..], Vec::as_slice);
        let pings: Vec<_> = workers.iter().map(|worker| worker.ping()).collect();
        let mut stalled = Vec::new();
        for (index, (worker, (number, since))) in workers.iter().zip(pings).enumerate() {
            let reply = timeout_at(since + limit, worker.reply_to(number)).await;
            let has_ended = matches!(reply, Ok(false));
            let is_alive = reply == Ok(true) || (has_ended && self.is_draining());
            if !is_alive {
                stalled.push(index);
            }
        }
        stalled
    }

    fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }
}

impl Heartbeat {
    /// A heartbeat, and the end of it that the worker runs.
    #[must_use]
    pub fn new() -> (Arc<Self>, HeartbeatResponder) {
        let (pings, incoming) = watch::channel(0);
        let (outgoing, replies) = watch::channel(0);
        let heartbeat = Self {
            pings,
            replies,
            since: Mutex::default(),
        };
        let responder = HeartbeatResponder {
            pings: incoming,
            replies: outgoing,
        };
        (Arc::new(heartbeat), responder)
    }

    /// Sends a ping, and returns its number and the time of the oldest ping without a reply.
    fn ping(&self) -> (u64, Instant) {
        let mut number = 0;
        self.pings.send_modify(|last| {
            *last += 1;
            number = *last;
        });
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        (number, *since.get_or_insert_with(Instant::now))
    }

    /// Resolves to true when the ping has a reply, and to false when the worker ended.
    async fn reply_to(&self, number: u64) -> bool {
        let mut replies = self.replies.clone();
        let has_reply = replies.wait_for(|last| *last >= number).await.is_ok();
        if has_reply {
            *self.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        has_reply
    }
}

impl HeartbeatResponder {
    /// Replies to each ping, until the [`Heartbeat`] is dropped.
    pub async fn reply(mut self) {
        while self.pings.changed().await.is_ok() {
            let number = *self.pings.borrow_and_update();
            self.replies.send_replace(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use tokio::runtime::{Builder, Runtime};

    use super::*;

    /// Far longer than a running event loop needs for a reply.
    const LONG: Duration = Duration::from_secs(30);

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// Two workers. The second blocks its event loop until the returned sender releases it.
    fn workers() -> (Heartbeats, mpsc::Sender<()>) {
        let heartbeats = Heartbeats::default();
        let (release, blocked) = mpsc::channel::<()>();
        let (first, first_responder) = Heartbeat::new();
        let (second, second_responder) = Heartbeat::new();
        heartbeats.watch(vec![first, second]);
        thread::spawn(move || runtime().block_on(first_responder.reply()));
        thread::spawn(move || {
            runtime().block_on(async {
                let responder = tokio::spawn(second_responder.reply());
                // An error ends the worker.
                if blocked.recv().is_ok() {
                    let _ = responder.await;
                }
            });
        });
        (heartbeats, release)
    }

    #[test]
    fn a_worker_whose_event_loop_stalls_is_reported_until_it_runs_again() {
        let (heartbeats, release) = workers();
        runtime().block_on(async {
            assert_eq!(heartbeats.stalled(Duration::from_millis(10)).await, [1]);
            release.send(()).unwrap();
            // The reply to the first ping; the reply to the next one is in time.
            let reply = heartbeats.workers.get().unwrap()[1].reply_to(1);
            assert!(tokio::time::timeout(LONG, reply).await.unwrap());
            assert_eq!(heartbeats.stalled(LONG).await, [0; 0]);
        });
    }

    #[test]
    fn a_worker_that_ended_is_reported_unless_the_server_drains() {
        let (heartbeats, release) = workers();
        drop(release);
        runtime().block_on(async {
            assert_eq!(heartbeats.stalled(LONG).await, [1]);
            heartbeats.drain();
            assert_eq!(heartbeats.stalled(LONG).await, [0; 0]);
        });
    }

    #[test]
    fn no_worker_is_reported_before_watch_is_called() {
        let stalled = runtime().block_on(Heartbeats::default().stalled(LONG));
        assert_eq!(stalled, [0; 0]);
    }
}
