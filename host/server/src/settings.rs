//! How the server works, apart from what it serves.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use http::header::HeaderName;

use http1_strict::MessageLimits;

/// How the server works, apart from what it serves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many threads serve requests.
    pub threads: NonZeroUsize,
    /// How long running requests may take to finish after the shutdown began.
    pub grace_period: Duration,
    /// The header in which an authenticating proxy names the principal.
    pub principal_header: Option<HeaderName>,
    /// Whether responses name the server.
    pub send_server_header: bool,
    /// What a connection may do.
    pub connections: ConnectionLimits,
    /// What bodies may be like.
    pub bodies: BodyLimits,
}

/// What a connection may do.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// How many there may be. None: as many as there can be.
    pub max_connections: Option<NonZeroUsize>,
    /// How long the head of a request, or a handshake of TLS, may take.
    pub header_read_timeout: Duration,
    /// How long it may wait for a request.
    pub idle_timeout: Duration,
    /// How long a guest may take to begin its response when the client has shut down its
    /// sending side, and may be gone.
    pub half_close_timeout: Duration,
    /// How long its client may take nothing of a response.
    pub write_timeout: Duration,
    /// How many requests it may send.
    pub max_requests: NonZeroU32,
    /// How long the target of a request may be.
    pub max_target_bytes: usize,
    /// How large the head of a request may be.
    pub max_header_bytes: usize,
    /// How many fields it may have.
    pub max_headers: NonZeroUsize,
    /// How many streams of HTTP/2 there may be at once.
    pub http2_max_streams: NonZeroU32,
    /// How much may be sent ahead on one of them.
    pub http2_stream_window_bytes: u32,
    /// How much may be sent ahead on all of them.
    pub http2_connection_window_bytes: u32,
}

impl ConnectionLimits {
    /// What a message of HTTP/1.1 may be like.
    pub(crate) fn message(&self, bodies: &BodyLimits) -> MessageLimits {
        MessageLimits {
            head_bytes: self.max_header_bytes,
            body_bytes: bodies.max_request_bytes,
            // No more fit into a `Uri`.
            target_bytes: self.max_target_bytes.min(usize::from(u16::MAX) - 1),
            fields: self.max_headers.get(),
        }
    }
}

/// What bodies may be like.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// How large that of a request may be.
    pub max_request_bytes: u64,
    /// How large that of a response may be.
    pub max_response_bytes: u64,
    /// How fast a client must send one.
    pub min_bytes_per_second: u64,
    /// How much of a body is kept where one side is slower than the other.
    pub buffered_bytes: usize,
}
