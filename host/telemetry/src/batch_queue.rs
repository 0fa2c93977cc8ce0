//! Bounded batch queue between the threads that serve requests and a slower writer thread.
//!
//! `tracing-appender` is not used: its queue has a limit in lines and not in bytes, and lines whose
//! write failed are not counted. `blocking_recv_many` of a tokio channel has no timeout, and a
//! wake-up needs an item.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The limits of a [`BatchQueue`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity {
    /// Maximum number of queued items.
    pub items: usize,
    /// Maximum memory of the queued items, in bytes.
    pub bytes: usize,
    /// Maximum time that a batch collects further items before the thread receives it.
    pub max_delay: Duration,
}

/// The sending end of a queue whose items a dedicated thread receives in batches.
///
/// Sending never blocks. When the queue is full, the item is dropped and counted. A sender wakes
/// the thread only if it is idle or the queue is half full, so at most once per `max_delay`: a
/// wake-up for each item would cost more than most items are worth. An idle thread sleeps.
#[derive(Debug)]
pub(crate) struct BatchQueue<T> {
    items: SyncSender<Item<T>>,
    shared: Arc<Shared>,
    thread: Thread,
    /// Closed when the thread ends.
    ended: watch::Receiver<()>,
}

/// The receiving end of a [`BatchQueue`].
pub(crate) struct BatchReceiver<T> {
    items: Receiver<Item<T>>,
    shared: Arc<Shared>,
    /// The item that ended the thread's sleep.
    first: Option<Item<T>>,
    /// Whether the last batch was full, so that more items may be queued.
    may_have_more: bool,
}

#[derive(Debug)]
struct Item<T> {
    value: T,
    bytes: usize,
}

#[derive(Debug)]
struct Shared {
    capacity: Capacity,
    /// The memory of all queued items.
    bytes: AtomicUsize,
    items: AtomicUsize,
    dropped: AtomicU64,
    /// Set when the thread must not wait for further items.
    is_woken: AtomicBool,
    /// Set while the thread sleeps until an item is sent.
    is_idle: AtomicBool,
    is_closing: AtomicBool,
}

impl<T: Send + 'static> BatchQueue<T> {
    /// Starts the thread `name`, which runs `receive` and ends when that returns.
    pub(crate) fn start(
        name: &str,
        capacity: Capacity,
        receive: impl FnOnce(BatchReceiver<T>) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, items) = mpsc::sync_channel(capacity.items);
        let (running, ended) = watch::channel(());
        let shared = Arc::new(Shared {
            capacity,
            bytes: AtomicUsize::new(0),
            items: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            is_woken: AtomicBool::new(false),
            is_idle: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
        });
        let receiver = BatchReceiver {
            items,
            shared: shared.clone(),
            first: None,
            may_have_more: false,
        };
        let builder = thread::Builder::new().name(name.to_owned());
        let thread = builder.spawn(move || {
            receive(receiver);
            drop(running);
        })?;
        Ok(Self {
            items: sender,
            shared,
            thread: thread.thread().clone(),
            ended,
        })
    }

    /// Queues an item of about `bytes` of memory without blocking. Returns false if the queue was
    /// full and the item was dropped.
    pub(crate) fn try_send(&self, value: T, bytes: usize) -> bool {
        let Shared { capacity, .. } = *self.shared;
        let before = self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        let items = self.shared.items.fetch_add(1, Ordering::Relaxed) + 1;
        if before + bytes > capacity.bytes || self.items.try_send(Item { value, bytes }).is_err() {
            self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.shared.items.fetch_sub(1, Ordering::Relaxed);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let half = capacity.bytes / 2;
        if items == capacity.items / 2 || (before < half && before + bytes >= half) {
            self.wake();
            return true;
        }
        // The thread stores `is_idle` and then checks for items: one of the two sees the other.
        fence(Ordering::SeqCst);
        let is_idle = &self.shared.is_idle;
        if is_idle.load(Ordering::Relaxed) && is_idle.swap(false, Ordering::Relaxed) {
            self.thread.unpark();
        }
        true
    }

    /// Wakes the thread, whether or not an item is queued.
    pub(crate) fn wake(&self) {
        self.shared.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }

    /// The number of dropped items.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Closes the queue: the thread drains it and ends. Waits for that up to `deadline`, and
    /// returns whether the thread has ended.
    pub(crate) async fn close(&self, deadline: Duration) -> bool {
        self.shared.is_closing.store(true, Ordering::Release);
        self.wake();
        // Nothing is ever sent: the channel closes when the thread ends.
        let mut ended = self.ended.clone();
        tokio::time::timeout(deadline, ended.changed())
            .await
            .is_ok()
    }
}

impl<T> Drop for BatchQueue<T> {
    /// Closes the queue: the thread drains it and ends.
    fn drop(&mut self) {
        self.shared.is_closing.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl<T> BatchReceiver<T> {
    /// Waits for items and appends up to `max` of them to `batch`; none if the thread was woken
    /// without an item. Returns false when the queue is closed and empty.
    pub(crate) fn recv_batch(&mut self, batch: &mut Vec<T>, max: usize) -> bool {
        // Loaded first, so that the items sent before the close are received below.
        let is_closing = self.is_closing();
        if !is_closing && !self.may_have_more {
            self.sleep();
            self.pause(self.shared.capacity.max_delay);
        }
        let before = batch.len();
        let mut bytes = 0;
        while batch.len() - before < max
            && let Some(item) = self.first.take().or_else(|| self.items.try_recv().ok())
        {
            bytes += item.bytes;
            batch.push(item.value);
        }
        let count = batch.len() - before;
        self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.shared.items.fetch_sub(count, Ordering::Relaxed);
        self.may_have_more = count == max;
        count > 0 || !is_closing
    }

    /// Sleeps until an item is sent, the thread is woken or the queue is closed.
    fn sleep(&mut self) {
        while !self.shared.is_woken.load(Ordering::Acquire) && !self.is_closing() {
            self.shared.is_idle.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            self.first = self.items.try_recv().ok();
            if self.first.is_some() {
                break;
            }
            thread::park();
        }
        self.shared.is_idle.store(false, Ordering::Relaxed);
    }

    /// Sleeps for `duration`, or until the thread is woken or the queue is closed. Returns whether
    /// the queue is closed.
    pub(crate) fn pause(&self, duration: Duration) -> bool {
        let start = Instant::now();
        while !self.shared.is_woken.swap(false, Ordering::Acquire) && !self.is_closing() {
            let left = duration.saturating_sub(start.elapsed());
            if left.is_zero() {
                break;
            }
            thread::park_timeout(left);
        }
        self.is_closing()
    }

    /// Counts items as dropped that were received and then lost.
    pub(crate) fn record_dropped(&self, count: u64) {
        self.shared.dropped.fetch_add(count, Ordering::Relaxed);
    }

    fn is_closing(&self) -> bool {
        self.shared.is_closing.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use tokio::runtime::Builder;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    fn capacity(items: usize, bytes: usize) -> Capacity {
        Capacity {
            items,
            bytes,
            max_delay: LONG,
        }
    }

    fn close<T: Send + 'static>(queue: &BatchQueue<T>) -> bool {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(queue.close(Duration::from_secs(30)))
    }

    #[test]
    fn close_drains_the_items_sent_before_it_in_order() {
        let (sender, arrived) = channel();
        let queue = BatchQueue::start("test", capacity(100, 1000), move |mut receiver| {
            let mut batch = Vec::new();
            while receiver.recv_batch(&mut batch, 7) {}
            sender.send(batch).unwrap();
        });
        let queue = queue.unwrap();
        for number in 0..40 {
            queue.try_send(number, 1);
        }
        assert!(close(&queue));
        let expected: Vec<_> = (0..40).collect();
        assert_eq!(arrived.recv().unwrap(), expected);
        assert_eq!(queue.dropped(), 0);
    }

    #[test]
    fn items_beyond_the_capacity_are_dropped_and_counted() {
        let (release, released) = channel::<()>();
        let (sender, arrived) = channel();
        let queue = BatchQueue::start("test", capacity(10, 100), move |mut receiver| {
            released.recv().unwrap();
            let mut batch = Vec::new();
            while receiver.recv_batch(&mut batch, 100) {}
            sender.send(batch.len()).unwrap();
        });
        let queue = queue.unwrap();
        queue.try_send(0, 101);
        queue.try_send(0, 60);
        queue.try_send(0, 60);
        for _ in 0..20 {
            queue.try_send(0, 1);
        }
        assert_eq!(queue.dropped(), 2 + 11);
        release.send(()).unwrap();
        assert!(close(&queue));
        assert_eq!(arrived.recv().unwrap(), 10);
    }

    #[test]
    fn a_half_full_queue_wakes_the_thread_before_max_delay() {
        let (sender, arrived) = channel();
        let queue = BatchQueue::start("test", capacity(10, 1000), move |mut receiver| {
            let mut batch = Vec::new();
            while receiver.recv_batch(&mut batch, 100) {
                if !batch.is_empty() {
                    // Fails when the test has ended.
                    let _ = sender.send(batch.len());
                }
            }
        });
        let queue = queue.unwrap();
        for _ in 0..5 {
            queue.try_send((), 1);
        }
        assert!(arrived.recv_timeout(Duration::from_secs(30)).is_ok());
        queue.try_send((), 600);
        assert!(arrived.recv_timeout(Duration::from_secs(30)).is_ok());
    }

    #[test]
    fn an_idle_thread_sleeps_until_an_item_wakes_it() {
        let (sender, arrived) = channel();
        let capacity = Capacity {
            max_delay: Duration::ZERO,
            ..capacity(10, 1000)
        };
        let queue = BatchQueue::start("test", capacity, move |mut receiver| {
            let mut batch = Vec::new();
            let mut rounds = 0;
            while receiver.recv_batch(&mut batch, 100) {
                rounds += 1;
                for number in batch.drain(..) {
                    // Fails when the test has ended.
                    let _ = sender.send((number, rounds));
                }
            }
        });
        let queue = queue.unwrap();
        for number in 0..1000 {
            assert!(queue.try_send(number, 1));
            let (found, rounds) = arrived.recv_timeout(Duration::from_secs(30)).unwrap();
            assert_eq!(found, number);
            assert!(rounds <= number + 1, "{rounds} rounds for {number}");
        }
    }

    #[test]
    fn close_waits_for_the_thread_no_longer_than_its_deadline() {
        let (release, released) = channel::<()>();
        let queue = BatchQueue::<()>::start("test", capacity(1, 1), move |_| {
            // An error means that the test dropped its end.
            let _ = released.recv();
        });
        let queue = queue.unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        assert!(!runtime.block_on(queue.close(Duration::from_millis(1))));
        drop(release);
        assert!(close(&queue));
    }
}
