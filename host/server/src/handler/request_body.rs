//! The body of a request, on its way to the guest.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::handler::incoming::Incoming;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep, timeout};
use wasmtime_wasi_http::Error;

use crate::handler::Context as RequestContext;
use crate::handler::chunks;
use crate::settings::BodyLimits;
use telemetry::Rejection;
use telemetry::RequestInfo;

/// How long a client may send nothing before its rate counts.
const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// How much of a body is read that the guest did not want, and how long that may take.
const MAX_DRAINED_BYTES: usize = 4 << 20;
const MAX_DRAIN_TIME: Duration = Duration::from_secs(5);

/// The body of a request: what has been read of it, and then the rest.
#[derive(Default)]
pub(crate) struct RequestBody {
    begun: Option<Bytes>,
    trailers: Option<HeaderMap>,
    rest: Option<Box<Rest>>,
}

/// What is still on its way.
struct Rest {
    /// None when the rest of it is drained.
    body: Option<Incoming>,
    limits: BodyLimits,
    rate: BodyRate,
    request: Arc<RequestInfo>,
    /// Set while the client is waited for.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// How much has come, and how long that was waited for.
#[derive(Debug, Default, Clone, Copy)]
struct BodyRate {
    bytes: u64,
    waited: Duration,
}

impl BodyRate {
    /// How much longer the client may take until the next bytes. None if it has for ever.
    fn time_budget(&self, limits: &BodyLimits) -> Option<Duration> {
        let min_rate = limits.min_bytes_per_second;
        if min_rate == 0 {
            return None;
        }
        let seconds = Duration::from_millis(self.bytes.saturating_mul(1000) / min_rate);
        Some((GRACE_PERIOD + seconds).saturating_sub(self.waited))
    }

    /// Counts what has come.
    fn add(&mut self, bytes: usize, limits: &BodyLimits) -> Result<(), Rejection> {
        self.bytes += bytes as u64;
        if self.bytes > limits.max_request_bytes {
            return Err(Rejection::BodyTooLarge);
        }
        Ok(())
    }
}

impl RequestBody {
    /// Reads what there is of `body`, as much as is kept. A client that is slow to send
    /// so much holds no instance.
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
            return Err(Rejection::BodyTooLarge);
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
                    // Usually all of it comes at once.
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

    /// Adds `more` to what has been read.
    fn append(&mut self, more: &[u8]) {
        let begun = self.begun.take();
        self.begun = begun.map(|begun| chunks::join(begun, more));
    }
}

/// The next frame, if it comes in time.
async fn next(
    body: &mut Incoming,
    rate: &mut BodyRate,
    limits: &BodyLimits,
) -> Result<Option<Result<Frame<Bytes>, Error>>, Rejection> {
    // Usually it is there, and nobody needs to know the time.
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
            // An empty chunk is not the end, but the guest's streams take it for
            // a wake-up without cause, and trap after a few of them.
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(frame)));
            }
        }
    }

    /// Is ready when the client has been waited for long enough.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(time_budget) = self.rate.time_budget(&self.limits) else {
            return Poll::Pending;
        };
        let (_, sleep) = self
            .waiting
            .get_or_insert_with(|| (Instant::now(), Box::pin(sleep(time_budget))));
        sleep.as_mut().poll(cx)
    }

    /// Notes why the client is answered by the server, and tells the guest.
    fn reject(&self, rejection: Rejection) -> Error {
        self.request.reject_body(rejection);
        match rejection {
            Rejection::BodyTooLarge => Error::HttpRequestBodySize(None),
            Rejection::BodyTimeout => Error::ConnectionReadTimeout,
            _ => Error::HttpProtocolError,
        }
    }
}

impl Drop for Rest {
    /// Reads on where the guest stopped, so that the next request of the connection can
    /// be read. What is wrong with the body is no matter any more.
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        // Without a runtime the process ends, and with it the connection.
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
