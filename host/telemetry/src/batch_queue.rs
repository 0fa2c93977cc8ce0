//! What the threads that serve requests leave for one that is slower.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// How much may wait, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity {
    /// The most items that wait.
    pub items: usize,
    /// The most memory that they have, in bytes.
    pub bytes: usize,
    /// How long items may wait so that more of them are taken at once.
    pub delay: Duration,
}

/// Takes items for a thread of its own, which gets many of them at once.
///
/// To send never waits. When too much waits already, an item is dropped and counted. It wakes
/// the thread only when that is idle or half of the room is taken, so at most once in the
/// delay: more would cost more than most items are worth. An idle thread sleeps.
#[derive(Debug)]
pub(crate) struct BatchQueue<T> {
    items: SyncSender<Item<T>>,
    shared: Arc<Shared>,
    thread: Thread,
    /// Closed when the thread ends.
    ended: watch::Receiver<()>,
}

/// The other end of a [`BatchQueue`].
pub(crate) struct BatchReceiver<T> {
    items: Receiver<Item<T>>,
    shared: Arc<Shared>,
    /// The item that ended the sleep of the thread.
    first: Option<Item<T>>,
    /// Whether more than what was taken last is there.
    has_more: bool,
}

#[derive(Debug)]
struct Item<T> {
    value: T,
    bytes: usize,
}

#[derive(Debug)]
struct Shared {
    capacity: Capacity,
    /// The memory of all items that wait.
    bytes: AtomicUsize,
    items: AtomicUsize,
    dropped: AtomicU64,
    /// Set when the thread is not to wait for more.
    is_woken: AtomicBool,
    /// Set while the thread sleeps until there is an item.
    is_idle: AtomicBool,
    is_closing: AtomicBool,
}

impl<T: Send + 'static> BatchQueue<T> {
    /// Starts the thread `name`, which does `work` until that returns.
    pub(crate) fn start(
        name: &str,
        capacity: Capacity,
        work: impl FnOnce(BatchReceiver<T>) + Send + 'static,
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
        let inbox = BatchReceiver {
            items,
            shared: shared.clone(),
            first: None,
            has_more: false,
        };
        let builder = thread::Builder::new().name(name.to_owned());
        let thread = builder.spawn(move || {
            work(inbox);
            drop(running);
        })?;
        Ok(Self {
            items: sender,
            shared,
            thread: thread.thread().clone(),
            ended,
        })
    }

    /// Leaves an item, which has about so much memory. Returns whether there was room.
    pub(crate) fn send(&self, value: T, bytes: usize) -> bool {
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
        // The thread stores and then looks for items: one of the two notices the other.
        fence(Ordering::SeqCst);
        let is_idle = &self.shared.is_idle;
        if is_idle.load(Ordering::Relaxed) && is_idle.swap(false, Ordering::Relaxed) {
            self.thread.unpark();
        }
        true
    }

    /// Lets the thread look for what there is to do.
    pub(crate) fn wake(&self) {
        self.shared.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }

    /// How many items were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Lets the thread do what is left and end, and waits until it has, but not longer
    /// than `deadline`. Returns whether it has ended.
    pub(crate) async fn close(&self, deadline: Duration) -> bool {
        self.shared.is_closing.store(true, Ordering::Release);
        self.wake();
        // An error is what it waits for: nothing is ever sent.
        let mut ended = self.ended.clone();
        tokio::time::timeout(deadline, ended.changed())
            .await
            .is_ok()
    }
}

impl<T> Drop for BatchQueue<T> {
    /// The thread does what is left, and ends.
    fn drop(&mut self) {
        self.shared.is_closing.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl<T> BatchReceiver<T> {
    /// Waits for items, and adds at most `max` of them to `taken`; also none, when the
    /// thread was woken. Returns false when there will be no more.
    pub(crate) fn wait(&mut self, taken: &mut Vec<T>, max: usize) -> bool {
        // Asked first: what was sent before the end was asked for is found below.
        let is_closing = self.is_closing();
        if !is_closing && !self.has_more {
            self.sleep();
            self.pause(self.shared.capacity.delay);
        }
        let before = taken.len();
        let mut bytes = 0;
        while taken.len() - before < max
            && let Some(item) = self.first.take().or_else(|| self.items.try_recv().ok())
        {
            bytes += item.bytes;
            taken.push(item.value);
        }
        let count = taken.len() - before;
        self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.shared.items.fetch_sub(count, Ordering::Relaxed);
        self.has_more = count == max;
        count > 0 || !is_closing
    }

    /// Sleeps until there is an item, or something else to do.
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

    /// Waits for so long, unless there is something to do. Returns whether the end was
    /// asked for.
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

    /// Counts items that were taken and got lost.
    pub(crate) fn drop_items(&self, count: u64) {
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
            delay: LONG,
        }
    }

    fn close<T: Send + 'static>(queue: &BatchQueue<T>) -> bool {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(queue.close(Duration::from_secs(30)))
    }

    #[test]
    fn what_was_sent_before_the_end_arrives_in_order() {
        let (sender, arrived) = channel();
        let queue = BatchQueue::start("test", capacity(100, 1000), move |mut inbox| {
            let mut taken = Vec::new();
            while inbox.wait(&mut taken, 7) {}
            sender.send(taken).unwrap();
        });
        let queue = queue.unwrap();
        for number in 0..40 {
            queue.send(number, 1);
        }
        assert!(close(&queue));
        let expected: Vec<_> = (0..40).collect();
        assert_eq!(arrived.recv().unwrap(), expected);
        assert_eq!(queue.dropped(), 0);
    }

    #[test]
    fn what_has_no_room_is_dropped_and_counted() {
        let (go, gone) = channel::<()>();
        let (sender, arrived) = channel();
        let queue = BatchQueue::start("test", capacity(10, 100), move |mut inbox| {
            gone.recv().unwrap();
            let mut taken = Vec::new();
            while inbox.wait(&mut taken, 100) {}
            sender.send(taken.len()).unwrap();
        });
        let queue = queue.unwrap();
        queue.send(0, 101);
        queue.send(0, 60);
        queue.send(0, 60);
        for _ in 0..20 {
            queue.send(0, 1);
        }
        assert_eq!(queue.dropped(), 2 + 11);
        go.send(()).unwrap();
        assert!(close(&queue));
        assert_eq!(arrived.recv().unwrap(), 10);
    }

    #[test]
    fn when_half_of_the_room_is_taken_nothing_waits_any_more() {
        let (sender, arrived) = channel();
        let queue = BatchQueue::start("test", capacity(10, 1000), move |mut inbox| {
            let mut taken = Vec::new();
            while inbox.wait(&mut taken, 100) {
                if !taken.is_empty() {
                    // Nobody waits any more at the end of the test.
                    let _ = sender.send(taken.len());
                }
            }
        });
        let queue = queue.unwrap();
        for _ in 0..5 {
            queue.send((), 1);
        }
        assert!(arrived.recv_timeout(Duration::from_secs(30)).is_ok());
        queue.send((), 600);
        assert!(arrived.recv_timeout(Duration::from_secs(30)).is_ok());
    }

    #[test]
    fn an_idle_thread_sleeps_and_an_item_wakes_it() {
        let (sender, arrived) = channel();
        let capacity = Capacity {
            delay: Duration::ZERO,
            ..capacity(10, 1000)
        };
        let queue = BatchQueue::start("test", capacity, move |mut inbox| {
            let mut taken = Vec::new();
            let mut rounds = 0;
            while inbox.wait(&mut taken, 100) {
                rounds += 1;
                for number in taken.drain(..) {
                    // The test is over if this fails.
                    let _ = sender.send((number, rounds));
                }
            }
        });
        let queue = queue.unwrap();
        for number in 0..1000 {
            assert!(queue.send(number, 1));
            let (found, rounds) = arrived.recv_timeout(Duration::from_secs(30)).unwrap();
            assert_eq!(found, number);
            assert!(rounds <= number + 1, "{rounds} rounds for {number}");
        }
    }

    #[test]
    fn the_end_is_waited_for_no_longer_than_allowed() {
        let (go, gone) = channel::<()>();
        let queue = BatchQueue::<()>::start("test", capacity(1, 1), move |_| {
            // An error says that the test is over.
            let _ = gone.recv();
        });
        let queue = queue.unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        assert!(!runtime.block_on(queue.close(Duration::from_millis(1))));
        drop(go);
        assert!(close(&queue));
    }
}
