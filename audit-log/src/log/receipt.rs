//! How those who wait for a receipt are woken.
//!
//! To wake a task of another thread costs a system call. Those who wait for one
//! batch are on few threads, so only one on each is woken: it wakes the others of its
//! thread, for which there is no call to make.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use super::AppendError;

/// The sequence of a record, or why it is not in the log.
pub(super) type Receipt = Result<u64, AppendError>;

/// Where a receipt is awaited.
pub(super) struct Awaited(Arc<Slot>);

/// Where a receipt is given. If it is dropped, the log was closed.
pub(super) struct Promised(Arc<Slot>);

struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    receipt: Option<Receipt>,
    waiter: Option<Waiter>,
    /// Those whom this one wakes.
    others: Vec<Waker>,
    /// Whether nobody waits here any more.
    is_over: bool,
}

struct Waiter {
    thread: ThreadId,
    waker: Waker,
}

/// A receipt that is still to be given.
pub(super) fn promise() -> (Promised, Awaited) {
    let slot = Arc::new(Slot(Mutex::default()));
    (Promised(slot.clone()), Awaited(slot))
}

/// Gives everybody their receipt.
pub(super) fn give(receipts: impl Iterator<Item = (Promised, Receipt)>) {
    let mut threads: HashMap<ThreadId, Vec<(Arc<Slot>, Waker)>> = HashMap::new();
    for (promised, receipt) in receipts {
        let waiter = {
            let mut state = promised.0.lock();
            state.receipt = Some(receipt);
            state.waiter.take()
        };
        if let Some(Waiter { thread, waker }) = waiter {
            let slot = promised.0.clone();
            threads.entry(thread).or_default().push((slot, waker));
        }
    }
    for mut waiting in threads.into_values() {
        while let Some((slot, waker)) = waiting.pop() {
            let mut state = slot.lock();
            // Whoever has looked by itself meanwhile wakes nobody.
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
        // Nothing in here panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the wait, and wakes those who depend on this one.
    fn end(mut state: MutexGuard<'_, State>) -> Option<Receipt> {
        state.is_over = true;
        let receipt = state.receipt.take();
        let others = std::mem::take(&mut state.others);
        drop(state);
        others.into_iter().for_each(Waker::wake);
        receipt
    }
}

impl Future for Awaited {
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

impl Drop for Awaited {
    /// A request that is given up still wakes the others.
    fn drop(&mut self) {
        Slot::end(self.0.lock());
    }
}

impl Drop for Promised {
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

    /// Counts how often it was woken.
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

    fn poll(awaited: &mut Awaited, count: &Arc<Count>) -> Poll<Receipt> {
        let waker = Waker::from(count.clone());
        Pin::new(awaited).poll(&mut Context::from_waker(&waker))
    }

    /// Three that wait on this thread, and have been given their receipts.
    fn given() -> (Vec<Awaited>, Vec<Arc<Count>>) {
        let counts: Vec<_> = (0..3).map(|_| Arc::new(Count::default())).collect();
        let (promised, mut awaited): (Vec<_>, Vec<_>) = (0..3).map(|_| promise()).unzip();
        for (awaited, count) in awaited.iter_mut().zip(&counts) {
            assert!(poll(awaited, count).is_pending());
        }
        give(promised.into_iter().zip((1..).map(Ok)));
        (awaited, counts)
    }

    fn woken(counts: &[Arc<Count>]) -> Vec<usize> {
        counts.iter().map(|count| count.get()).collect()
    }

    #[test]
    fn one_of_a_thread_is_woken_and_wakes_the_others() {
        let (mut awaited, counts) = given();
        assert_eq!(woken(&counts), [0, 0, 1]);
        assert!(matches!(
            poll(&mut awaited[2], &counts[2]),
            Poll::Ready(Ok(3))
        ));
        assert_eq!(woken(&counts), [1, 1, 1]);
        assert!(matches!(
            poll(&mut awaited[0], &counts[0]),
            Poll::Ready(Ok(1))
        ));
        assert!(matches!(
            poll(&mut awaited[1], &counts[1]),
            Poll::Ready(Ok(2))
        ));
    }

    #[test]
    fn one_that_is_given_up_still_wakes_the_others() {
        let (mut awaited, counts) = given();
        drop(awaited.pop());
        assert_eq!(woken(&counts), [1, 1, 1]);
    }

    #[test]
    fn one_that_was_given_up_before_is_not_relied_on() {
        let counts: Vec<_> = (0..2).map(|_| Arc::new(Count::default())).collect();
        let (promised, mut awaited): (Vec<_>, Vec<_>) = (0..2).map(|_| promise()).unzip();
        for (awaited, count) in awaited.iter_mut().zip(&counts) {
            assert!(poll(awaited, count).is_pending());
        }
        drop(awaited.pop());
        give(promised.into_iter().zip((1..).map(Ok)));
        assert_eq!(counts[0].get(), 1);
    }

    #[test]
    fn a_promise_that_is_dropped_says_that_the_log_is_closed() {
        let count = Arc::new(Count::default());
        let (promised, mut awaited) = promise();
        assert!(poll(&mut awaited, &count).is_pending());
        drop(promised);
        assert_eq!(count.get(), 1);
        let receipt = poll(&mut awaited, &count);
        assert!(matches!(receipt, Poll::Ready(Err(AppendError::Closed))));
    }
}
