//! What one instance has under way: how many requests at once, and whether it is there
//! to finish them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Semaphore;

/// The account of one instance.
#[derive(Debug)]
pub(super) struct Account {
    free: Semaphore,
    /// How many connections have nothing more to carry, and close by themselves.
    closing: AtomicUsize,
    /// How many bytes of requests the server keeps.
    kept_bytes: AtomicUsize,
    /// Whether the instance is gone.
    is_closed: AtomicBool,
    /// Whether the log has a refusal of the request at hand.
    has_told: AtomicBool,
}

/// Bytes that the server keeps of a request, for as long as this value lives.
#[derive(Debug)]
pub(super) struct Kept {
    account: Arc<Account>,
    bytes: usize,
}

/// A request under way, from before it has a connection to when that is closed.
#[derive(Debug)]
pub(super) struct Slot {
    account: Arc<Account>,
    is_closing: AtomicBool,
}

impl Account {
    pub(super) fn new(max_at_once: NonZeroU32) -> Self {
        let slots = usize::try_from(max_at_once.get()).unwrap_or(usize::MAX);
        Self {
            free: Semaphore::new(slots.min(Semaphore::MAX_PERMITS)),
            closing: AtomicUsize::new(0),
            kept_bytes: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            has_told: AtomicBool::new(false),
        }
    }

    /// A slot for one more request, or none if there are as many as there may be. Waits
    /// only for connections that close by themselves: a guest that sends one request
    /// after the other never has two at once.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Slot> {
        let permit = match self.free.try_acquire() {
            Ok(permit) => permit,
            Err(_) if self.is_about_to_be_free() => self.free.acquire().await.ok()?,
            Err(_) => return None,
        };
        // The slot gives it back.
        permit.forget();
        Some(Slot {
            account: self.clone(),
            is_closing: AtomicBool::new(false),
        })
    }

    /// Counts so many bytes of a request for as long as the server keeps them.
    pub(super) fn keep(self: &Arc<Self>, bytes: usize) -> Kept {
        self.kept_bytes.fetch_add(bytes, Ordering::Relaxed);
        Kept {
            account: self.clone(),
            bytes,
        }
    }

    /// How many bytes of requests the server keeps.
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept_bytes.load(Ordering::Relaxed)
    }

    fn is_about_to_be_free(&self) -> bool {
        self.closing.load(Ordering::SeqCst) > 0 || self.free.available_permits() > 0
    }

    /// Says that the instance is gone. What it has not finished, it never will.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Says that the instance serves another request from now on.
    pub(super) fn begin_request(&self) {
        self.has_told.store(false, Ordering::Relaxed);
    }

    /// Whether a refusal is the first one of the request at hand.
    pub(super) fn is_first_refusal(&self) -> bool {
        !self.has_told.swap(true, Ordering::Relaxed)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let kept = &self.account.kept_bytes;
        kept.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Slot {
    /// Says that the response is there, or not wanted, so that the connection closes.
    pub(super) fn close(&self) {
        if !self.is_closing.swap(true, Ordering::SeqCst) {
            self.account.closing.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // In this order, whoever waits for a slot never misses one.
        self.account.free.add_permits(1);
        if self.is_closing.load(Ordering::SeqCst) {
            self.account.closing.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use super::*;

    fn account(max_at_once: u32) -> Arc<Account> {
        let max_at_once = NonZeroU32::new(max_at_once).expect("more than none");
        Arc::new(Account::new(max_at_once))
    }

    #[tokio::test]
    async fn one_request_more_than_there_may_be_gets_no_slot() {
        let account = account(2);
        let first = account.take().await.expect("a slot");
        let _second = account.take().await.expect("a slot");
        assert!(account.take().await.is_none());
        drop(first);
        assert!(account.take().await.is_some());
    }

    #[tokio::test]
    async fn a_request_waits_for_a_connection_that_closes_by_itself() {
        let account = account(1);
        let first = account.take().await.expect("a slot");
        first.close();
        first.close();
        let mut second = pin!(account.take());
        let waits = poll_fn(|cx| second.as_mut().poll(cx).is_pending().into()).await;
        assert!(waits);
        drop(first);
        let second = second.await.expect("a slot");
        assert!(account.take().await.is_none());
        drop(second);
    }

    #[test]
    fn max_host_memory_counts_requests_until_they_are_done() {
        let account = account(1);
        let first = account.keep(40);
        let second = account.keep(2);
        assert_eq!(account.kept_bytes(), 42);
        drop(first);
        assert_eq!(account.kept_bytes(), 2);
        drop(second);
        assert_eq!(account.kept_bytes(), 0);
    }

    #[test]
    fn only_the_first_refusal_of_each_request_is_told() {
        let account = account(1);
        assert!(account.is_first_refusal());
        assert!(!account.is_first_refusal());
        account.begin_request();
        assert!(account.is_first_refusal());
    }
}
