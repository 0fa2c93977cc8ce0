//! Write coalescing: responses of one pass of the event loop are sent back to back.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};

/// A stream on which the first write after a read waits until all other ready tasks of this worker
/// have run.
///
/// A worker with several requests at hand handles all of them and then sends all responses, instead
/// of each by itself. A send wakes its client, which often interrupts another processor; of sends
/// that follow each other closely, only the first one does. Under load this takes about a sixth off
/// the cost of a request. A single request does not wait.
pub(crate) struct CoalescedWrites<S> {
    stream: S,
    next_write: NextWrite,
}

/// The effect of the next write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NextWrite {
    /// It yields to other tasks.
    Waits,
    /// It writes.
    Writes,
}

impl<S> CoalescedWrites<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            next_write: NextWrite::Waits,
        }
    }

    /// Whether a write has to wait. If so, it is tried again after all tasks that are ready now.
    fn must_yield(&mut self, cx: &Context<'_>) -> bool {
        let waits = self.next_write == NextWrite::Waits;
        if waits {
            self.next_write = NextWrite::Writes;
            cx.waker().wake_by_ref();
        }
        waits
    }
}

impl<S: Read + Unpin> Read for CoalescedWrites<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.next_write = NextWrite::Waits;
        }
        read
    }
}

impl<S: Write + Unpin> Write for CoalescedWrites<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        if self.must_yield(cx) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        if self.must_yield(cx) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::poll_fn;
    use std::rc::Rc;

    use tokio::runtime::Builder;
    use tokio::task::LocalSet;

    use super::*;

    /// A stream that is always readable, and logs reads and writes.
    struct Log {
        name: &'static str,
        events: Rc<RefCell<Vec<String>>>,
    }

    impl Log {
        fn note(&self, event: &str) {
            self.events
                .borrow_mut()
                .push(format!("{} {event}", self.name));
        }
    }

    impl Read for Log {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: ReadBufCursor<'_>,
        ) -> Poll<Result<()>> {
            self.note("reads");
            Poll::Ready(Ok(()))
        }
    }

    impl Write for Log {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<Result<usize>> {
            self.note("writes");
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            _: &[IoSlice<'_>],
        ) -> Poll<Result<usize>> {
            self.poll_write(cx, b"x")
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Reads once, then writes twice, with both methods.
    async fn answer(stream: &mut CoalescedWrites<Log>) {
        let mut buffer = [0];
        let mut buffer = hyper::rt::ReadBuf::new(&mut buffer);
        poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, buffer.unfilled()))
            .await
            .unwrap();
        poll_fn(|cx| Pin::new(&mut *stream).poll_write_vectored(cx, &[]))
            .await
            .unwrap();
        poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, b"x"))
            .await
            .unwrap();
    }

    /// The log of streams that each answer this number of `requests`.
    fn events(names: &[&'static str], requests: usize) -> Vec<String> {
        let events = Rc::<RefCell<Vec<String>>>::default();
        let tasks = LocalSet::new();
        for &name in names {
            let events = events.clone();
            tasks.spawn_local(async move {
                let mut stream = CoalescedWrites::new(Log { name, events });
                for _ in 0..requests {
                    answer(&mut stream).await;
                }
            });
        }
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(tasks);
        events.take()
    }

    #[test]
    fn all_ready_streams_read_before_the_first_write() {
        let expected = [
            "a reads", "b reads", "c reads", "a writes", "a writes", "b writes", "b writes",
            "c writes", "c writes",
        ];
        assert_eq!(events(&["a", "b", "c"], 1), expected);
    }

    #[test]
    fn a_single_stream_writes_at_once() {
        assert_eq!(events(&["a"], 1), ["a reads", "a writes", "a writes"]);
    }
    #[test]
    fn each_response_is_coalesced() {
        let expected = [
            "a reads", "b reads", "a writes", "a writes", "a reads", "b writes", "b writes",
            "b reads", "a writes", "a writes", "b writes", "b writes",
        ];
        assert_eq!(events(&["a", "b"], 2), expected);
    }
}
