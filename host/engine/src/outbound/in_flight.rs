//! What one instance has under way: how many requests at once, and whether it is there
//! to finish them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The account of one instance.
#[derive(Debug)]
pub(super) struct InFlight {
    free: Arc<Semaphore>,
    /// How many bytes of requests the server keeps.
    buffered_bytes: AtomicUsize,
    /// Whether the instance is gone.
    is_closed: AtomicBool,
    /// Whether the log has a refusal or a failure of the request at hand.
    has_logged: AtomicBool,
}

/// Bytes that the server keeps of a request, for as long as this value lives.
#[derive(Debug)]
pub(super) struct BufferedBytes {
    in_flight: Arc<InFlight>,
    bytes: usize,
}

/// A request under way, from before it has a connection to when that is closed. Dropping it
/// lets the next one begin.
pub(super) type Permit = OwnedSemaphorePermit;

impl InFlight {
    pub(super) fn new(max_concurrent: NonZeroU32) -> Self {
        let slots = usize::try_from(max_concurrent.get()).unwrap_or(usize::MAX);
        Self {
            free: Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS))),
            buffered_bytes: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            has_logged: AtomicBool::new(false),
        }
    }

    /// A slot for one more request. Waits for one, in the order of the calls, while there are
    /// as many as there may be.
    pub(super) async fn take(&self) -> Option<Permit> {
        // It fails if the semaphore is closed, and nothing closes it.
        self.free.clone().acquire_owned().await.ok()
    }

    /// Counts so many bytes of a request for as long as the server keeps them.
    pub(super) fn add_buffered(self: &Arc<Self>, bytes: usize) -> BufferedBytes {
        self.buffered_bytes.fetch_add(bytes, Ordering::Relaxed);
        BufferedBytes {
            in_flight: self.clone(),
            bytes,
        }
    }

    /// How many bytes of requests the server keeps.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.buffered_bytes.load(Ordering::Relaxed)
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
        self.has_logged.store(false, Ordering::Relaxed);
    }

    /// Whether a refusal or a failure is the first one of the request at hand.
    pub(super) fn is_first_failure(&self) -> bool {
        !self.has_logged.swap(true, Ordering::Relaxed)
    }
}

impl Drop for BufferedBytes {
    fn drop(&mut self) {
        let buffered = &self.in_flight.buffered_bytes;
        buffered.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use super::*;

    fn in_flight(max_concurrent: u32) -> Arc<InFlight> {
        let max_concurrent = NonZeroU32::new(max_concurrent).expect("more than none");
        Arc::new(InFlight::new(max_concurrent))
    }

    #[tokio::test]
    async fn one_request_more_than_max_outbound_waits_until_one_is_over() {
        let in_flight = in_flight(2);
        let first = in_flight.take().await.expect("a permit");
        let _second = in_flight.take().await.expect("a permit");
        let mut third = pin!(in_flight.take());
        let waits = poll_fn(|cx| third.as_mut().poll(cx).is_pending().into()).await;
        assert!(waits);
        drop(first);
        assert!(third.await.is_some());
    }

    #[test]
    fn max_host_memory_counts_requests_until_they_are_done() {
        let in_flight = in_flight(1);
        let first = in_flight.add_buffered(40);
        let second = in_flight.add_buffered(2);
        assert_eq!(in_flight.buffered_bytes(), 42);
        drop(first);
        assert_eq!(in_flight.buffered_bytes(), 2);
        drop(second);
        assert_eq!(in_flight.buffered_bytes(), 0);
    }

    #[test]
    fn only_the_first_failure_of_each_request_is_logged() {
        let in_flight = in_flight(1);
        assert!(in_flight.is_first_failure());
        assert!(!in_flight.is_first_failure());
        in_flight.begin_request();
        assert!(in_flight.is_first_failure());
    }
}
