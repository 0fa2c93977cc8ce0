//! Outbound requests in flight of one instance: concurrency limit, buffered bytes, closed flag.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::concurrency_limit::ConcurrencyLimit;

/// The outbound requests of one instance.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) limit: ConcurrencyLimit,
    /// Size of the requests that the server buffers, in bytes.
    buffered_bytes: AtomicUsize,
    /// Whether the instance has ended.
    is_closed: AtomicBool,
    /// Whether a denial or a failure was logged for the current request.
    has_logged: AtomicBool,
}

/// Buffered bytes of one request, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct BufferedBytes {
    in_flight: Arc<InFlight>,
    bytes: usize,
}

impl InFlight {
    pub(super) fn new(max_concurrent: NonZeroU32) -> Self {
        let max_concurrent = usize::try_from(max_concurrent.get()).unwrap_or(usize::MAX);
        Self {
            limit: ConcurrencyLimit::new(max_concurrent),
            buffered_bytes: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            has_logged: AtomicBool::new(false),
        }
    }

    /// Counts buffered bytes of a request until the returned value is dropped.
    pub(super) fn add_buffered(self: &Arc<Self>, bytes: usize) -> BufferedBytes {
        self.buffered_bytes.fetch_add(bytes, Ordering::Relaxed);
        BufferedBytes {
            in_flight: self.clone(),
            bytes,
        }
    }

    /// Size of the requests that the server buffers, in bytes.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.buffered_bytes.load(Ordering::Relaxed)
    }

    /// Marks the instance as ended, so that its unfinished bodies are errors.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Starts the log limit of the next request that the instance serves.
    pub(super) fn begin_request(&self) {
        self.has_logged.store(false, Ordering::Relaxed);
    }

    /// Whether this denial or failure is the first of the current request. Marks it as logged.
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
        let max_concurrent = NonZeroU32::new(max_concurrent).expect("not zero");
        Arc::new(InFlight::new(max_concurrent))
    }

    #[tokio::test]
    async fn a_request_beyond_max_outbound_waits_for_a_permit() {
        let in_flight = in_flight(2);
        let first = in_flight.limit.acquire().await.expect("a permit");
        let _second = in_flight.limit.acquire().await.expect("a permit");
        let mut third = pin!(in_flight.limit.acquire());
        let waits = poll_fn(|cx| third.as_mut().poll(cx).is_pending().into()).await;
        assert!(waits);
        drop(first);
        assert!(third.await.is_some());
    }

    #[test]
    fn max_host_memory_counts_buffered_bytes_until_they_are_dropped() {
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
