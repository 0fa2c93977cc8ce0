//! The bodies that go in and out of an instance.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::timeout;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::failure::Failure;
use super::request::{Context as RequestContext, Running};

/// How much of a body is read that the guest did not want.
const MAX_DRAINED_BYTES: usize = 4 << 20;

/// How long that may take.
const MAX_DRAIN_TIME: Duration = Duration::from_secs(5);

/// The body of a request on its way to the guest.
pub(super) struct RequestBody(Option<Incoming>);

impl RequestBody {
    pub(super) fn new(body: Incoming) -> Self {
        Self(Some(body))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = wasmtime_wasi_http::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(body) = &mut self.0 else {
            return Poll::Ready(None);
        };
        loop {
            let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
            // An empty chunk is not the end, but the guest's streams take it for
            // a wake-up without cause, and trap after a few of them.
            let is_empty = matches!(&frame, Some(Ok(frame))
                if frame.data_ref().is_some_and(Bytes::is_empty));
            if !is_empty {
                return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for RequestBody {
    /// Reads on where the guest stopped. A connection that is closed while its
    /// client still sends is reset, and the client may never see the response.
    fn drop(&mut self) {
        let Some(mut body) = self.0.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        tokio::task::spawn_local(timeout(MAX_DRAIN_TIME, async move {
            let mut drained = 0;
            while drained < MAX_DRAINED_BYTES
                && let Some(Ok(frame)) = body.frame().await
            {
                drained += frame.data_ref().map_or(0, Bytes::len);
            }
        }));
    }
}

/// The body of a response on its way to the client.
pub(super) enum ResponseBody {
    /// All of it is there.
    Full(Full<Bytes>),
    /// It comes from a guest, which may still be working on it.
    Guest(Box<GuestBody>),
}

/// A body that a guest writes. The guest runs when the client takes more, within
/// the task of the connection: there is no other task to wake, and a client that
/// goes away takes the guest with it.
pub(super) struct GuestBody {
    context: RequestContext,
    body: HyperOutgoingBody,
    guest: Option<Running>,
    /// How many bytes of a body of known length are still to come.
    remaining: Option<u64>,
    /// Whether the client has, or will get, the whole of it.
    complete: bool,
}

impl ResponseBody {
    /// A body that is there as a whole.
    pub(super) fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Full(Full::new(bytes.into()))
    }

    /// The body of `response`, which `guest`, if it is there, still works on. The
    /// client of a HEAD request gets no body.
    pub(super) fn from_guest(
        response: Response<HyperOutgoingBody>,
        guest: Option<Running>,
        is_head: bool,
        context: &RequestContext,
    ) -> Response<Self> {
        let (head, body) = response.into_parts();
        // The guest took no body, so there is none to wait for.
        if body.size_hint().exact() == Some(0) {
            if let Some(guest) = guest {
                guest.finish();
            }
            return Response::from_parts(head, Self::full(Bytes::new()));
        }
        let remaining = content_length(&head.headers);
        let status = head.status;
        let is_bodiless = is_head
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED
            || remaining == Some(0);
        let body = Self::Guest(Box::new(GuestBody {
            context: context.clone(),
            body,
            guest,
            remaining,
            complete: is_bodiless,
        }));
        Response::from_parts(head, body)
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The guest failed after the head of its response was on its way, so that only
/// breaking the connection tells the client.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the guest failed in the middle of its response")
    }
}

impl std::error::Error for Broken {}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Full(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|error| match error {}),
            Self::Guest(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(body) => body.is_end_stream(),
            Self::Guest(body) => body.guest.is_none() && body.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(body) => body.size_hint(),
            Self::Guest(body) => body.body.size_hint(),
        }
    }
}

impl GuestBody {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        // The guest first: what it writes now can be sent at once.
        if let Some(guest) = &mut self.guest
            && let Poll::Ready(result) = guest.work.as_mut().poll(cx)
        {
            self.guest = None;
            if let Err(error) = result {
                return Poll::Ready(Some(Err(self.fail(Failure::Trapped(error)))));
            }
        }
        // The client has the head already, so this is all there is to tell it.
        if self.context.request.is_unaudited() {
            return Poll::Ready(Some(Err(Broken)));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match frame {
            None => {
                self.complete = true;
                Poll::Ready(None)
            }
            Some(Ok(frame)) => {
                if let (Some(remaining), Some(data)) = (&mut self.remaining, frame.data_ref()) {
                    *remaining = remaining.saturating_sub(data.len() as u64);
                    self.complete |= *remaining == 0;
                }
                self.complete |= frame.is_trailers();
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                let failure = Failure::BrokenOff(error.to_string());
                Poll::Ready(Some(Err(self.fail(failure))))
            }
        }
    }

    /// Leaves a record of the failure, for which the client need not wait: its
    /// connection breaks now.
    fn fail(&self, failure: Failure) -> Broken {
        let context = self.context.clone();
        tokio::task::spawn_local(async move {
            failure
                .note(&context, "guest failed while responding")
                .await;
        });
        Broken
    }
}

impl Drop for GuestBody {
    /// A guest whose response is complete may have more to do, such as to leave
    /// a record, and gets to finish it. One whose client has gone does not.
    fn drop(&mut self) {
        if let Some(guest) = self.guest.take()
            && self.complete
        {
            guest.finish();
        }
    }
}
