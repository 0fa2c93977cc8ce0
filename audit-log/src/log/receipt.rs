//! Delivery of receipts to the waiting tasks.
//!
//! Waking a task of another thread costs a system call. The tasks that wait for one batch are on
//! few threads, so only one task a thread is woken from here: it wakes the others of its thread,
//! which costs no system call.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use super::AppendError;

/// The sequence of a record, or the error of appending it.
pub(super) type Receipt = Result<u64, AppendError>;

/// The receiving half: a future that resolves to the receipt.
pub(super) struct ReceiptFuture(Arc<Slot>);

/// The sending half. If it is dropped, the future resolves to [`AppendError::Closed`].
pub(super) struct ReceiptSender(Arc<Slot>);

struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    receipt: Option<Receipt>,
    waiter: Option<Waiter>,
    /// The wakers of the other tasks, which this task wakes.
    others: Vec<Waker>,
    /// Whether the future has ended.
    is_over: bool,
}

struct Waiter {
    thread: ThreadId,
    waker: Waker,
}

/// Creates the two halves of a receipt.
pub(super) fn receipt_channel() -> (ReceiptSender, ReceiptFuture) {
    let slot = Arc::new(Slot(Mutex::default()));
    (ReceiptSender(slot.clone()), ReceiptFuture(slot))
}

/// Delivers the receipts, and wakes the waiting tasks.
pub(super) fn deliver(receipts: impl Iterator<Item = (ReceiptSender, Receipt)>) {
    let mut threads: HashMap<ThreadId, Vec<(Arc<Slot>, Waker)>> = HashMap::new();
    for (sender, receipt) in receipts {
        let waiter = {
            let mut state = sender.0.lock();
            state.receipt = Some(receipt);
            state.waiter.take()
        };
        if let Some(Waiter { thread, waker }) = waiter {
            let slot = sender.0.clone();
            threads.entry(thread).or_default().push((slot, waker));
        }
    }
    for mut waiting in threads.into_values() {
        while let Some((slot, waker)) = waiting.pop() {
            let mut state = slot.lock();
            // A task that was polled in the meantime has ended and cannot wake the others.
            if state.is_over {
                continue;
            }
            state.others = waiting.drain(..).map(|(_, waker)| waker).collect();
            drop(state);
            waker.wake();
        }
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under this lock panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the wait, and wakes the other tasks.
    fn end(mut state: MutexGuard<'_, State>) -> Option<Receipt> {
        state.is_over = true;
        let receipt = state.receipt.take();
        let others = std::mem::take(&mut state.others);
        drop(state);
        others.into_iter().for_each(Waker::wake);
        receipt
    }
}

impl Future for ReceiptFuture {
    type Output = Receipt;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Receipt> {
        let mut state = self.0.lock();
        if state.receipt.is_some() {
            let receipt = Slot::end(state);
            return Poll::Ready(receipt.unwrap_or(Err(AppendError::Closed)));
        }
        state.waiter = Some(Waiter {
            thread: thread::current().id(),
            waker: cx.waker().clone(),
        });
        Poll::Pending
    }
}

impl Drop for ReceiptFuture {
    /// A cancelled future still wakes the other tasks.
    fn drop(&mut self) {
        Slot::end(self.0.lock());
    }
}

impl Drop for ReceiptSender {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.receipt.is_none() && !state.is_over {
            state.receipt = Some(Err(AppendError::Closed));
            let waiter = state.waiter.take();
            drop(state);
            if let Some(waiter) = waiter {
                waiter.waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// A waker that counts.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Count {
        fn get(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    fn poll(future: &mut ReceiptFuture, count: &Arc<Count>) -> Poll<Receipt> {
        let waker = Waker::from(count.clone());
        Pin::new(future).poll(&mut Context::from_waker(&waker))
    }

    /// Three futures of this thread whose receipts were delivered.
    fn delivered() -> (Vec<ReceiptFuture>, Vec<Arc<Count>>) {
        let counts: Vec<_> = (0..3).map(|_| Arc::new(Count::default())).collect();
        let (senders, mut futures): (Vec<_>, Vec<_>) = (0..3).map(|_| receipt_channel()).unzip();
        for (future, count) in futures.iter_mut().zip(&counts) {
            assert!(poll(future, count).is_pending());
        }
        deliver(senders.into_iter().zip((1..).map(Ok)));
        (futures, counts)
    }

    fn woken(counts: &[Arc<Count>]) -> Vec<usize> {
        counts.iter().map(|count| count.get()).collect()
    }

    #[test]
    fn one_task_of_a_thread_is_woken_and_wakes_the_others() {
        let (mut futures, counts) = delivered();
        assert_eq!(woken(&counts), [0, 0, 1]);
        assert!(matches!(
            poll(&mut futures[2], &counts[2]),
            Poll::Ready(Ok(3))
        ));
        assert_eq!(woken(&counts), [1, 1, 1]);
        assert!(matches!(
            poll(&mut futures[0], &counts[0]),
            Poll::Ready(Ok(1))
        ));
        assert!(matches!(
            poll(&mut futures[1], &counts[1]),
            Poll::Ready(Ok(2))
        ));
    }

    #[test]
    fn cancelled_receipt_future_still_wakes_the_others() {
        let (mut futures, counts) = delivered();
        drop(futures.pop());
        assert_eq!(woken(&counts), [1, 1, 1]);
    }

    #[test]
    fn receipt_future_cancelled_before_delivery_is_not_relied_on() {
        let counts: Vec<_> = (0..2).map(|_| Arc::new(Count::default())).collect();
        let (senders, mut futures): (Vec<_>, Vec<_>) = (0..2).map(|_| receipt_channel()).unzip();
        for (future, count) in futures.iter_mut().zip(&counts) {
            assert!(poll(future, count).is_pending());
        }
        drop(futures.pop());
        deliver(senders.into_iter().zip((1..).map(Ok)));
        assert_eq!(counts[0].get(), 1);
    }

    #[test]
    fn dropped_receipt_sender_reports_that_the_log_is_closed() {
        let count = Arc::new(Count::default());
        let (sender, mut future) = receipt_channel();
        assert!(poll(&mut future, &count).is_pending());
        drop(sender);
        assert_eq!(count.get(), 1);
        let receipt = poll(&mut future, &count);
        assert!(matches!(receipt, Poll::Ready(Err(AppendError::Closed))));
    }
}
