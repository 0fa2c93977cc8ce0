//! The body of an HTTP/2 request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use wasmtime_wasi_http::Error;

/// The frames of a stream after its head.
pub(crate) struct StreamBody {
    stream: RecvStream,
    /// The remaining length, if the head has one. `h2` enforces it.
    length: Option<u64>,
    /// Whether only trailers can follow.
    is_read: bool,
    /// Asks for the 100 response that the client waits for.
    awaits: Option<oneshot::Sender<()>>,
}

impl StreamBody {
    /// The body of a request with these fields. If the client waits for 100, the returned receiver
    /// resolves when the server starts to wait for the body.
    pub(crate) fn new(
        stream: RecvStream,
        headers: &HeaderMap,
    ) -> (Self, Option<oneshot::Receiver<()>>) {
        let length = headers.get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        // Other expectations are rejected.
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
        // A client that has begun to send does not wait.
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

    /// A stream that is reset, with any code, is an aborted body, and never a complete one.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if !self.is_read {
            if let Some(data) = ready!(self.poll_data(cx)) {
                let data = data.map_err(|error| broken(&error))?;
                // Fails if the stream was reset, as the next frame says.
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

/// The error that a guest gets for an aborted body.
fn broken(error: &h2::Error) -> Error {
    tracing::debug!("the body of a request broke off: {error}");
    Error::HttpProtocolError
}
