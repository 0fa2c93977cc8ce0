//! Bodies of outbound requests and of their responses.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, TRAILER};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use telemetry::RequestId;
use tokio::time::{Instant, Sleep, sleep, timeout};
use wasmtime_wasi_http::{Error, WasiBody};

use super::errors::from_hyper;
use super::forwarding::{self, Forwarding};
use super::framing;

/// Size limit of trailer names in a log line, in bytes.
const MAX_NAMES_BYTES: usize = 512;

/// A body that the guest writes, or that of its client, which it passes on. When the guest ends, one
/// that it writes ends without an error, and its reader must not take a part of it for the whole.
pub(super) struct GuestBody {
    body: WasiBody,
    forwarding: Arc<Forwarding>,
}

impl GuestBody {
    pub(super) fn new(body: WasiBody, forwarding: Arc<Forwarding>) -> Self {
        Self { body, forwarding }
    }
}

impl Body for GuestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let (frame, is_of_client) = forwarding::poll_frame(&mut self.body, cx);
        if is_of_client {
            self.forwarding.start();
        }
        let frame = ready!(frame);
        if frame.is_none() && self.forwarding.in_flight.is_closed() {
            return Poll::Ready(Some(Err(Error::ConnectionTerminated)));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for GuestBody {
    fn drop(&mut self) {
        self.forwarding.keep(&mut self.body);
    }
}

/// The error of the body of an outbound request. hyper owns it, and its cause is taken from there.
#[derive(Debug, thiserror::Error)]
#[error("request body aborted")]
pub(super) struct BodyError(Mutex<Option<Error>>);

impl BodyError {
    fn new(error: Error) -> Self {
        Self(Mutex::new(Some(error)))
    }

    /// Takes the cause, which is there once.
    pub(super) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The body of an outbound request.
pub(super) struct RequestBody {
    body: GuestBody,
    /// The first frame, which was read to know whether there is a body.
    first: Option<Frame<Bytes>>,
    has_ended: bool,
    /// Rest of the announced length. None if no length was announced.
    left: Option<u64>,
    sent: u64,
    /// Whether the head announces trailers, so that hyper sends them.
    announces_trailers: bool,
    request_id: RequestId,
}

impl RequestBody {
    /// The body of a request with these header fields.
    pub(super) fn new(
        body: WasiBody,
        headers: &HeaderMap,
        forwarding: Arc<Forwarding>,
        request_id: RequestId,
    ) -> Self {
        let left = framing::announced_length(headers);
        Self {
            has_ended: body.is_end_stream(),
            body: GuestBody::new(body, forwarding),
            first: None,
            left,
            sent: 0,
            announces_trailers: left.is_none() && headers.contains_key(TRAILER),
            request_id,
        }
    }

    /// Checks a frame before it is sent.
    ///
    /// # Errors
    ///
    /// Fails if the body exceeds the announced length: hyper would send a part of it, which looks
    /// complete.
    fn check(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Error> {
        if let Some(data) = frame.data_ref() {
            self.sent += data.len() as u64;
            if let Some(left) = &mut self.left {
                *left = left
                    .checked_sub(data.len() as u64)
                    .ok_or(Error::HttpRequestBodySize(Some(self.sent)))?;
            }
        }
        let trailers = frame.trailers_ref();
        if let Some(trailers) = trailers.filter(|trailers| !trailers.is_empty())
            && !self.announces_trailers
            && self.body.forwarding.in_flight.is_first_failure()
        {
            let names: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
            let names = names.join(", ");
            let names = sanitize::line(&names).at_most(MAX_NAMES_BYTES);
            tracing::warn!(
                request = %self.request_id,
                "trailers `{names}` of an outbound request dropped: its head has to name them in \
                 `trailer`, and must not have `content-length`"
            );
        }
        Ok(frame)
    }

    /// The end of the body.
    ///
    /// # Errors
    ///
    /// Fails if the body is shorter than the announced length.
    fn end(&mut self) -> Result<(), Error> {
        self.has_ended = true;
        match self.left.take() {
            None | Some(0) => Ok(()),
            Some(_) => Err(Error::HttpRequestBodySize(Some(self.sent))),
        }
    }

    /// Whether the body has content. If the guest leaves it open for longer than `limit`, it counts
    /// as content.
    ///
    /// # Errors
    ///
    /// Fails if the guest aborts the body.
    pub(super) async fn has_content(&mut self, limit: Duration) -> Result<bool, Error> {
        if self.has_ended {
            return Ok(false);
        }
        match timeout(limit, self.frame()).await {
            Ok(Some(Ok(frame))) => self.first = Some(frame),
            Ok(Some(Err(error))) => return Err(error.take().unwrap_or(Error::HttpProtocolError)),
            Ok(None) => self.has_ended = true,
            Err(_) => {}
        }
        Ok(!self.has_ended)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let frame = if self.has_ended {
            None
        } else {
            ready!(Pin::new(&mut self.body).poll_frame(cx))
        };
        let checked = match frame {
            Some(frame) => Some(frame.and_then(|frame| self.check(frame))),
            None => self.end().err().map(Err),
        };
        Poll::Ready(checked.map(|frame| frame.map_err(BodyError::new)))
    }

    fn is_end_stream(&self) -> bool {
        // One that is too short has an error left.
        let is_whole = self.left.is_none_or(|left| left == 0);
        is_whole && (self.has_ended || (self.first.is_none() && self.body.is_end_stream()))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.first {
            Some(_) => SizeHint::default(),
            None if self.has_ended => SizeHint::with_exact(self.left.unwrap_or(0)),
            None => self.body.size_hint(),
        }
    }
}

/// A response body, which the guest reads.
pub(super) struct ResponseBody {
    body: Incoming,
    idle_timeout: Option<IdleTimeout>,
}

/// The idle timeout of a response body, while the guest waits for a frame.
struct IdleTimeout {
    limit: Duration,
    /// The timer, if `is_running`. It is created once, because creating one needs a thread of the
    /// runtime, and guests may run on others.
    end: Pin<Box<Sleep>>,
    is_running: bool,
}

impl ResponseBody {
    /// Must be called within a runtime with timers.
    pub(super) fn new(body: Incoming, max_idle: Option<Duration>) -> Self {
        let idle_timeout = max_idle.map(|limit| IdleTimeout {
            limit,
            end: Box::pin(sleep(limit)),
            is_running: false,
        });
        Self { body, idle_timeout }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            let Some(idle_timeout) = &mut self.idle_timeout else {
                return Poll::Pending;
            };
            ready!(idle_timeout.poll(cx));
            return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
        };
        if let Some(idle_timeout) = &mut self.idle_timeout {
            idle_timeout.is_running = false;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(|error| from_hyper(&error))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl IdleTimeout {
    /// Resolves when the timeout is exceeded.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_running {
            // A timeout beyond the range of the clock never expires.
            let end = Instant::now().checked_add(self.limit);
            let Some(end) = end else {
                return Poll::Pending;
            };
            self.end.as_mut().reset(end);
            self.is_running = true;
        }
        self.end.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use http::HeaderValue;
    use http::header::CONTENT_LENGTH;
    use http_body_util::{Collected, Full};

    use super::super::in_flight::InFlight;
    use super::*;

    /// The result of a body of 5 bytes, or of none, with this announced length.
    async fn read(text: &'static str, length: &'static str) -> Result<Bytes, Option<Error>> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static(length));
        let forwarding = Forwarding::new(Arc::new(InFlight::new(NonZeroU32::MIN)));
        let body = Full::from(text).map_err(|never| match never {});
        let id = RequestId::next();
        let body = RequestBody::new(body.boxed_unsync(), &headers, forwarding, id);
        assert_eq!(body.is_end_stream(), text.is_empty() && length == "0");
        let read = body.collect().await;
        read.map(Collected::to_bytes).map_err(|error| error.take())
    }

    #[tokio::test]
    async fn a_body_that_differs_from_its_content_length_is_an_error_with_its_size() {
        assert_eq!(read("whole", "5").await.expect("it fits"), "whole");
        assert_eq!(read("", "0").await.expect("it fits"), "");
        for (text, length, sent) in [("whole", "9", 5), ("whole", "3", 5), ("", "9", 0)] {
            let error = read(text, length).await.expect_err("another length");
            let Some(Error::HttpRequestBodySize(Some(found))) = error else {
                panic!("{error:?}");
            };
            assert_eq!(found, sent, "{text}, {length}");
        }
    }
}
