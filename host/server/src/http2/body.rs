//! The body of a request of HTTP/2.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use wasmtime_wasi_http::Error;

/// What comes on a stream after its head.
pub(crate) struct StreamBody {
    stream: RecvStream,
    /// How much is still to come, if the head says so. `h2` holds clients to it.
    length: Option<u64>,
    /// Whether only trailers can come.
    is_read: bool,
    /// Says that the server waits for the body, of a client that sends it only then.
    awaits: Option<oneshot::Sender<()>>,
}

impl StreamBody {
    /// The body of a request with these fields. If its client waits for 100 before it sends the
    /// body, resolves what comes with it when the server begins to wait for that.
    pub(super) fn new(
        stream: RecvStream,
        headers: &HeaderMap,
    ) -> (Self, Option<oneshot::Receiver<()>>) {
        let length = headers.get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        // Any other expectation is refused.
        let (awaits, awaited) = headers.contains_key(EXPECT).then(oneshot::channel).unzip();
        let body = Self {
            stream,
            length,
            is_read: false,
            awaits,
        };
        (body, awaited)
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let data = self.stream.poll_data(cx);
        // A client that has begun to send waits for nothing.
        if let Some(awaits) = self.awaits.take()
            && data.is_pending()
        {
            let _ = awaits.send(());
        }
        data
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Error;

    /// A stream that is reset, with whatever code, is a body that broke off, and never one that
    /// is whole.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if !self.is_read {
            if let Some(data) = ready!(self.poll_data(cx)) {
                let data = data.map_err(|error| broken(&error))?;
                // It fails where the stream has been reset, as the next frame says.
                let _ = self.stream.flow_control().release_capacity(data.len());
                self.length = self
                    .length
                    .map(|length| length.saturating_sub(data.len() as u64));
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            self.is_read = true;
        }
        let trailers = ready!(self.stream.poll_trailers(cx)).map_err(|error| broken(&error))?;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// What a guest gets to know of a body that broke off.
fn broken(error: &h2::Error) -> Error {
    tracing::debug!("the body of a request broke off: {error}");
    Error::HttpProtocolError
}
