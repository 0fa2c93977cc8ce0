//! The body of a response that continues after its head was sent.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRAILER};
use http::{HeaderMap, Version};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::handler::guest_error::GuestError;
use crate::handler::guest_task::GuestTask;
use crate::handler::response::names;
use crate::handler::streaming_guest::{StreamingGuest, follow};
use crate::handler::{Context as RequestContext, chunks};

/// Number of polls of a connection after its guest failed, before it breaks. A head that was passed
/// on just before is sent in them: hyper passes it on in the first, and
/// [`crate::connection::coalesced_writes`] may yield to other tasks first. A client without a head
/// would send its request again.
const POLLS_TO_BREAK: u32 = 2;

/// A body that a guest still writes.
pub(crate) struct Stream {
    context: RequestContext,
    /// The part that was read already.
    begun: Bytes,
    body: HyperOutgoingBody,
    guest: StreamingGuest,
    sent: u64,
    length: Length,
    /// Whether the head names the trailers that follow.
    names_trailers: bool,
    wait: GuestWait,
    turns_to_break: u32,
}

/// The length that a response declares, if it does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length(Option<u64>);

impl Length {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let value = headers.get(CONTENT_LENGTH);
        Self(value.and_then(|value| value.to_str().ok()?.parse().ok()))
    }

    /// Whether a body of this number of `bytes` has the declared length.
    pub(crate) fn is_reached(self, bytes: u64) -> bool {
        self.0 == Some(bytes)
    }

    /// Checks a body of `bytes` so far, which may be all of it. A client waits for missing bytes,
    /// and takes excess ones for the next response.
    pub(crate) fn check(self, bytes: u64, is_whole: bool) -> Result<(), GuestError> {
        match self.0 {
            Some(length) if bytes > length || (is_whole && bytes < length) => {
                let verb = if is_whole { "has" } else { "goes on after" };
                let why = format!("its length is given as {length} bytes, and it {verb} {bytes}");
                Err(GuestError::Aborted(why))
            }
            _ => Ok(()),
        }
    }
}

/// The guest failed after the head of its response was sent, so that only the end of the connection
/// tells the client.
#[derive(Debug)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the guest failed in the middle of its response")
    }
}

impl std::error::Error for Broken {}

impl Stream {
    /// The rest of `body` after the part that has `begun`, which the guest in `running` may
    /// continue.
    pub(crate) fn new(
        begun: Bytes,
        body: HyperOutgoingBody,
        headers: &HeaderMap,
        running: Option<GuestTask>,
        context: &RequestContext,
    ) -> Self {
        let length = Length::of(headers);
        let mut guest = follow(running, context.clone());
        if length.is_reached(begun.len() as u64) {
            guest.set_complete();
        }
        Self {
            context: context.clone(),
            length,
            names_trailers: headers.contains_key(TRAILER),
            sent: begun.len() as u64,
            begun,
            body,
            guest,
            wait: GuestWait::new(context.served.settings().response_idle_timeout),
            turns_to_break: POLLS_TO_BREAK,
        }
    }

    /// Whether the response declares its length.
    pub(crate) fn has_length(&self) -> bool {
        self.length.0.is_some()
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        // The head was sent already, so this is all that the client can be told.
        if self.guest.poll_failed(cx) || self.context.request.is_audit_unavailable() {
            return self.break_off(cx);
        }
        if !self.begun.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.begun)))));
        }
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                ready!(self.wait.poll(cx));
                self.guest.fail(GuestError::Idle);
                return self.break_off(cx);
            };
            match self.check(frame) {
                // An empty frame would cost both sides something, and mean nothing.
                Ok(Some(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
                Ok(frame) => {
                    self.wait.end();
                    return Poll::Ready(frame.map(Ok));
                }
                Err(failure) => {
                    self.guest.fail(failure);
                    return self.break_off(cx);
                }
            }
        }
    }

    /// Checks what the guest writes, or the end of it, before the client gets it.
    fn check(
        &mut self,
        frame: Option<Result<Frame<Bytes>, wasmtime_wasi_http::Error>>,
    ) -> Result<Option<Frame<Bytes>>, GuestError> {
        let frame = frame.transpose();
        let frame = frame.map_err(|error| GuestError::of_body(&error))?;
        let data = frame.as_ref().and_then(Frame::data_ref);
        self.sent += data.map_or(0, Bytes::len) as u64;
        if self.sent > self.context.shared.settings.bodies.max_response_bytes {
            return Err(GuestError::TooLarge);
        }
        let trailers = frame.as_ref().and_then(Frame::trailers_ref);
        if let Some(trailers) = trailers {
            self.report_lost(trailers);
        }
        let is_whole = frame.as_ref().is_none_or(Frame::is_trailers);
        self.length.check(self.sent, is_whole)?;
        if is_whole || self.length.is_reached(self.sent) {
            self.guest.set_complete();
        }
        Ok(frame)
    }

    /// Logs that trailers are lost: over HTTP/1.1 hyper sends only those that the head names, and
    /// that was sent. A middleware gets them in any case.
    fn report_lost(&self, trailers: &HeaderMap) {
        let request = &self.context.request;
        let is_http1 = request.version() < Version::HTTP_2 && !request.is_for_next();
        if is_http1 && !self.names_trailers && !trailers.is_empty() {
            let names = names(trailers);
            tracing::warn!(
                request = %request.id(),
                "the trailers `{names}` of the guest are not sent: over HTTP/1.1 the head of the \
                 response has to name them in the field `trailer`"
            );
        }
    }

    /// Breaks the connection, after [`POLLS_TO_BREAK`].
    fn break_off<T>(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Broken>>> {
        if self.turns_to_break > 0 {
            self.turns_to_break -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Broken)))
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        chunks::size(&self.begun, &self.body.size_hint())
    }
}

/// The time for which the client has waited for the guest, and its limit.
struct GuestWait {
    limit: Duration,
    /// None while the client does not wait for the guest.
    since: Option<Instant>,
    /// It may expire earlier than the limit, because it is set anew only then: a guest may write
    /// thousands of times a second.
    timer: Option<Pin<Box<Sleep>>>,
}

impl GuestWait {
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            since: None,
            timer: None,
        }
    }

    /// The guest has written.
    fn end(&mut self) {
        self.since = None;
    }

    /// Waits for the limit.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(timer.as_mut().poll(cx));
        while Instant::now() < deadline {
            timer.as_mut().reset(deadline);
            ready!(timer.as_mut().poll(cx));
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::runtime::Builder;

    use super::*;

    async fn is_pending(wait: &mut GuestWait) -> bool {
        poll_fn(|cx| Poll::Ready(wait.poll(cx).is_pending())).await
    }

    #[test]
    fn response_idle_timeout_starts_anew_with_each_piece() {
        const LIMIT: Duration = Duration::from_mins(10);

        let runtime = Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(async {
            let mut wait = GuestWait::new(LIMIT);
            assert!(is_pending(&mut wait).await);
            for _ in 0..2 {
                wait.since = Some(Instant::now() - LIMIT);
                wait.timer = Some(Box::pin(sleep_until(Instant::now())));
                poll_fn(|cx| wait.poll(cx)).await;
                wait.end();
                // This is the timer of the wait before.
                assert!(is_pending(&mut wait).await);
            }
        });
    }
}
