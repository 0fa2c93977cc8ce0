//! Bodies of outbound requests and of their responses.

use std::pin::Pin;
use std::sync::Arc;
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
use super::framing;
use super::in_flight::InFlight;

/// Size limit of trailer names in a log line, in bytes.
const MAX_NAMES_BYTES: usize = 512;

/// A body that the guest writes. When the guest ends, it ends without an error, and its reader must
/// not take a part of it for the whole.
pub(super) struct GuestBody {
    body: WasiBody,
    in_flight: Arc<InFlight>,
}

impl GuestBody {
    pub(super) fn new(body: WasiBody, in_flight: Arc<InFlight>) -> Self {
        Self { body, in_flight }
    }
}

impl Body for GuestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() && self.in_flight.is_closed() {
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

/// The body of an outbound request.
pub(super) struct RequestBody {
    body: GuestBody,
    /// The first frame, which was read to know whether there is a body.
    first: Option<Frame<Bytes>>,
    has_ended: bool,
    /// Rest of the announced length. None if no length was announced.
    left: Option<u64>,
    /// Whether the head announces trailers, so that hyper sends them.
    announces_trailers: bool,
    request_id: RequestId,
}

impl RequestBody {
    /// The body of a request with these header fields.
    pub(super) fn new(
        body: WasiBody,
        headers: &HeaderMap,
        in_flight: Arc<InFlight>,
        request_id: RequestId,
    ) -> Self {
        let left = framing::announced_length(headers);
        Self {
            has_ended: body.is_end_stream(),
            body: GuestBody::new(body, in_flight),
            first: None,
            left,
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
        if let (Some(left), Some(data)) = (&mut self.left, frame.data_ref()) {
            *left = left
                .checked_sub(data.len() as u64)
                .ok_or(Error::HttpRequestBodySize(None))?;
        }
        let trailers = frame.trailers_ref();
        if let Some(trailers) = trailers.filter(|trailers| !trailers.is_empty())
            && !self.announces_trailers
            && self.body.in_flight.is_first_failure()
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
            Ok(Some(frame)) => self.first = Some(frame?),
            Ok(None) => self.has_ended = true,
            Err(_) => {}
        }
        Ok(!self.has_ended)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.has_ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| self.check(frame?)))
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended || (self.first.is_none() && self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.first {
            Some(_) => SizeHint::default(),
            None if self.has_ended => SizeHint::with_exact(0),
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
