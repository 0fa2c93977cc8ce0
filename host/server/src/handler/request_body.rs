//! The body of a request, from the client to the guest.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http1_strict::Violation;
use telemetry::{Rejection, RequestInfo};
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep, timeout};
use wasmtime_wasi_http::Error;

use crate::handler::incoming::Incoming;
use crate::handler::{Context as RequestContext, chunks};
use crate::settings::BodyLimits;

/// The time for which the rate of a client does not matter.
const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// Size limit of the part of a body that is read and discarded because the guest did not read it,
/// and time limit for that.
const MAX_DRAINED_BYTES: usize = 4 << 20;
const MAX_DRAIN_TIME: Duration = Duration::from_secs(5);

/// The body of a request: the part that was read, and then the rest.
#[derive(Default)]
pub(crate) struct RequestBody {
    begun: Option<Bytes>,
    trailers: Option<HeaderMap>,
    rest: Option<Box<Rest>>,
}

/// The part that was not read yet.
struct Rest {
    /// None when the rest is drained.
    body: Option<Incoming>,
    limits: BodyLimits,
    rate: BodyRate,
    request: Arc<RequestInfo>,
    /// Set while the server waits for the client.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// Bytes that were received, and time that was waited for them.
#[derive(Debug, Default, Clone, Copy)]
struct BodyRate {
    bytes: u64,
    waited: Duration,
}

impl BodyRate {
    /// Time that the client has left until its next bytes, or None if it is unlimited.
    fn time_budget(&self, limits: &BodyLimits) -> Option<Duration> {
        let min_rate = limits.min_bytes_per_second;
        if min_rate == 0 {
            return None;
        }
        let seconds = Duration::from_millis(self.bytes.saturating_mul(1000) / min_rate);
        Some((GRACE_PERIOD + seconds).saturating_sub(self.waited))
    }

    /// Counts received bytes.
    fn add(&mut self, bytes: usize, limits: &BodyLimits) -> Result<(), Rejection> {
        self.bytes += bytes as u64;
        if self.bytes > limits.max_request_bytes {
            return Err(Rejection::Invalid(Violation::BodyTooLarge));
        }
        Ok(())
    }
}

impl RequestBody {
    /// Reads `body`, up to the buffer limit. A slow client holds no instance meanwhile.
    ///
    /// # Errors
    ///
    /// Fails if the body is too large, too slow, or broken.
    pub(crate) async fn read_ahead(
        mut body: Incoming,
        limits: BodyLimits,
        context: &RequestContext,
    ) -> Result<Self, Rejection> {
        if body.is_end_stream() {
            return Ok(Self::default());
        }
        let announced = body.size_hint().exact();
        if announced.is_some_and(|bytes| bytes > limits.max_request_bytes) {
            return Err(Rejection::Invalid(Violation::BodyTooLarge));
        }
        let mut rate = BodyRate::default();
        let mut read = Self::default();
        let mut more = BytesMut::new();
        while rate.bytes < limits.buffered_bytes as u64 {
            let Some(frame) = next(&mut body, &mut rate, &limits).await? else {
                read.append(&more);
                return Ok(read);
            };
            let frame = frame.map_err(|_| {
                let broken = context.state.broken_body();
                broken.unwrap_or(Rejection::BodyBroken)
            })?;
            match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => {
                    rate.add(data.len(), &limits)?;
                    // Usually the whole body arrives at once.
                    match &read.begun {
                        None => read.begun = Some(data),
                        Some(_) => more.extend_from_slice(&data),
                    }
                }
                Err(frame) => read.trailers = frame.into_trailers().ok(),
            }
        }
        read.append(&more);
        read.rest = Some(Box::new(Rest {
            body: Some(body),
            limits,
            rate,
            request: context.request.clone(),
            waiting: None,
        }));
        Ok(read)
    }

    fn rest(&self) -> Option<&Incoming> {
        self.rest.as_ref()?.body.as_ref()
    }

    /// Appends `more` to the part that was read.
    fn append(&mut self, more: &[u8]) {
        let begun = self.begun.take();
        self.begun = begun.map(|begun| chunks::join(begun, more));
    }
}

/// The next frame, if it arrives in time.
async fn next(
    body: &mut Incoming,
    rate: &mut BodyRate,
    limits: &BodyLimits,
) -> Result<Option<Result<Frame<Bytes>, Error>>, Rejection> {
    // Usually the frame is there, and no clock is read.
    let at_once = poll_fn(|cx| Poll::Ready(Pin::new(&mut *body).poll_frame(cx))).await;
    if let Poll::Ready(frame) = at_once {
        return Ok(frame);
    }
    let begin = Instant::now();
    let frame = match rate.time_budget(limits) {
        Some(time_budget) => timeout(time_budget, body.frame())
            .await
            .map_err(|_| Rejection::BodyTimeout)?,
        None => body.frame().await,
    };
    rate.waited += begin.elapsed();
    Ok(frame)
}

impl Rest {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            let Some(body) = &mut self.body else {
                return Poll::Ready(None);
            };
            let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) else {
                ready!(self.poll_patience(cx));
                return Poll::Ready(Some(Err(self.reject(Rejection::BodyTimeout))));
            };
            if let Some((since, _)) = self.waiting.take() {
                self.rate.waited += since.elapsed();
            }
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
            let Some(data) = frame.data_ref() else {
                return Poll::Ready(Some(Ok(frame)));
            };
            if let Err(rejection) = self.rate.add(data.len(), &self.limits) {
                return Poll::Ready(Some(Err(self.reject(rejection))));
            }
            // An empty chunk is not the end, but wasmtime-wasi-http's streams take it for a
            // spurious wake-up, and trap after a few of them.
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(frame)));
            }
        }
    }

    /// Ready when the time of the client is over.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(time_budget) = self.rate.time_budget(&self.limits) else {
            return Poll::Pending;
        };
        let (_, sleep) = self
            .waiting
            .get_or_insert_with(|| (Instant::now(), Box::pin(sleep(time_budget))));
        sleep.as_mut().poll(cx)
    }

    /// Records why the server answers the client, and makes the error of the guest.
    fn reject(&self, rejection: Rejection) -> Error {
        self.request.reject_body(rejection);
        match rejection {
            Rejection::Invalid(Violation::BodyTooLarge) => Error::HttpRequestBodySize(None),
            Rejection::BodyTimeout => Error::ConnectionReadTimeout,
            _ => Error::HttpProtocolError,
        }
    }
}

impl Drop for Rest {
    /// Drains the body, so that the next request of the connection can be read. Errors of the body
    /// no longer matter.
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        // Without a runtime the process ends, and the connection with it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(MAX_DRAIN_TIME, async move {
                let mut drained = 0;
                while drained < MAX_DRAINED_BYTES
                    && let Some(Ok(frame)) = body.frame().await
                {
                    drained += frame.data_ref().map_or(0, Bytes::len);
                }
            }));
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(begun) = self.begun.take().filter(|begun| !begun.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(begun))));
        }
        if let Some(rest) = &mut self.rest {
            return rest.poll_frame(cx);
        }
        let trailers = self.trailers.take();
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        let has_begun = self.begun.as_ref().is_some_and(|begun| !begun.is_empty());
        !has_begun && self.trailers.is_none() && self.rest().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest().map(Body::size_hint);
        let rest = rest.unwrap_or_else(|| SizeHint::with_exact(0));
        match &self.begun {
            Some(begun) => chunks::size(begun, &rest),
            None => rest,
        }
    }
}
