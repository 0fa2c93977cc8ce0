//! Outbound requests in flight of one instance: concurrency limit, buffered bytes, forwarded bodies,
//! closed flag.

use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::concurrency_limit::ConcurrencyLimit;

/// The outbound requests of one instance.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) limit: ConcurrencyLimit,
    /// Size of the requests that the server buffers, in bytes.
    buffered_bytes: AtomicUsize,
    /// The number of bodies of clients that requests of the instance forward.
    forwarding: AtomicUsize,
    /// Whether the instance has ended.
    is_closed: AtomicBool,
    /// Wakes the tasks that wait for one of these two.
    changed: Notify,
    /// Whether a denial or a failure was logged for the current request.
    has_logged: AtomicBool,
}

/// The body of a client that a request forwards, counted until this is dropped.
#[derive(Debug)]
pub(super) struct ForwardingPermit(Arc<InFlight>);

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
            forwarding: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            changed: Notify::new(),
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

    /// Counts a forwarded body until the returned value is dropped.
    pub(super) fn start_forwarding(self: &Arc<Self>) -> ForwardingPermit {
        self.forwarding.fetch_add(1, Ordering::AcqRel);
        ForwardingPermit(self.clone())
    }

    /// Waits until no body is forwarded.
    pub(super) async fn all_forwarded(&self) {
        let is_idle = || self.forwarding.load(Ordering::Acquire) == 0;
        self.wait_until(is_idle).await;
    }

    /// Marks the instance as ended, so that its unfinished bodies are errors, and its connections are
    /// closed.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Waits until the instance has ended.
    pub(super) async fn closed(&self) {
        self.wait_until(|| self.is_closed()).await;
    }

    async fn wait_until(&self, is_reached: impl Fn() -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Before the check, so that no change is missed.
            changed.as_mut().enable();
            if is_reached() {
                return;
            }
            changed.await;
        }
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

impl Drop for ForwardingPermit {
    fn drop(&mut self) {
        let Self(in_flight) = self;
        in_flight.forwarding.fetch_sub(1, Ordering::AcqRel);
        in_flight.changed.notify_waiters();
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

    /// Whether this is ready at its first poll.
    async fn is_ready(future: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        poll_fn(|cx| pin!(&mut *future).poll(cx).is_ready().into()).await
    }

    #[tokio::test]
    async fn waits_for_forwarded_bodies_and_for_the_end_are_woken() {
        let in_flight = in_flight(1);
        in_flight.all_forwarded().await;
        let permits = [(); 2].map(|()| in_flight.start_forwarding());
        let mut forwarded = pin!(in_flight.all_forwarded());
        let mut closed = pin!(in_flight.closed());
        assert!(!is_ready(&mut forwarded).await);
        for permit in permits {
            assert!(!is_ready(&mut forwarded).await);
            drop(permit);
        }
        assert!(is_ready(&mut forwarded).await);
        assert!(!is_ready(&mut closed).await);
        in_flight.close();
        assert!(is_ready(&mut closed).await);
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
