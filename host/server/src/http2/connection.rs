//! One connection, which accepts the streams of its client.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server;
use telemetry::metrics::ConnectionError;

use super::prefixed_io::PrefixedIo;
use super::stream;
use crate::connection_state::ConnectionState;
use crate::handler::context::WorkerContext;
use crate::serving::{ConnectionFailure, Serving};

/// An HTTP/2 connection. While it is polled, it reads and writes frames; each request has a task of
/// its own on the same thread.
pub(crate) struct Connection {
    frames: server::Connection<PrefixedIo, Bytes>,
    state: Rc<ConnectionState>,
    shared: Rc<WorkerContext>,
}

impl Connection {
    /// Sends the settings of the server, and reads the preface of the client.
    ///
    /// # Errors
    ///
    /// Fails if the connection breaks.
    pub(crate) async fn open(
        socket: PrefixedIo,
        state: Rc<ConnectionState>,
        shared: Rc<WorkerContext>,
    ) -> Result<Self, h2::Error> {
        /// Number of streams on which a client may break the protocol before the connection ends.
        const MAX_ERROR_RESETS: usize = 1024;
        /// Minimum send buffer of a stream, in bytes: without one, no byte of a streamed body would
        /// be sent.
        const MIN_SEND_BUFFER_BYTES: usize = 16 << 10;

        let limits = &shared.settings.connections;
        // The handler responds to heads that are a little too large with a problem document.
        let header_bytes = limits.max_header_bytes.saturating_mul(2);
        let header_bytes = u32::try_from(header_bytes).unwrap_or(u32::MAX);
        let send_buffer_bytes = shared
            .settings
            .bodies
            .buffered_bytes
            .max(MIN_SEND_BUFFER_BYTES);
        let handshake = server::Builder::new()
            .max_concurrent_streams(limits.http2_max_streams.get())
            .initial_window_size(limits.http2_stream_window_bytes)
            .initial_connection_window_size(limits.http2_connection_window_bytes)
            .max_header_list_size(header_bytes)
            .max_send_buffer_size(send_buffer_bytes)
            .max_local_error_reset_streams(Some(MAX_ERROR_RESETS))
            .handshake(socket);
        Ok(Self {
            frames: handshake.await?,
            state,
            shared,
        })
    }
}

impl Future for Connection {
    type Output = Result<(), h2::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        while let Some(accepted) = ready!(self.frames.poll_accept(cx)) {
            let (request, reply) = accepted?;
            let (state, shared) = (self.state.clone(), self.shared.clone());
            tokio::task::spawn_local(stream::serve(request, reply, state, shared));
        }
        Poll::Ready(Ok(()))
    }
}

impl Serving for Connection {
    type Error = h2::Error;

    /// Sends GOAWAY.
    fn end(mut self: Pin<&mut Self>) {
        self.frames.graceful_shutdown();
    }
}

impl ConnectionFailure for h2::Error {
    fn kind(&self) -> Option<ConnectionError> {
        Some(if self.is_io() {
            ConnectionError::Lost
        } else {
            ConnectionError::Protocol
        })
    }
}
