//! Settings of a server, apart from its functions.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use http::header::HeaderName;
use http1_strict::MessageLimits;

/// Settings of a server, apart from its functions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Number of workers.
    pub threads: NonZeroUsize,
    /// Time limit of requests that are in flight when the shutdown begins.
    pub grace_period: Duration,
    /// The field in which an authenticating proxy names the principal.
    pub principal_header: Option<HeaderName>,
    /// Whether responses have a field `server`.
    pub send_server_header: bool,
    /// Limits of connections.
    pub connections: ConnectionLimits,
    /// Limits of bodies.
    pub bodies: BodyLimits,
}

/// Limits of connections.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Number of open connections. None: as many as the limit of open files allows.
    pub max_connections: Option<NonZeroUsize>,
    /// Time limit of a request head, and of a TLS handshake.
    pub header_read_timeout: Duration,
    /// Time limit of an idle connection.
    pub idle_timeout: Duration,
    /// Time limit of the response head after the client has shut down its sending side, and may be
    /// gone.
    pub half_close_timeout: Duration,
    /// Time limit of a client that receives nothing of a response.
    pub write_timeout: Duration,
    /// Number of requests on one connection.
    pub max_requests: NonZeroU32,
    /// Size limit of a request target in bytes.
    pub max_target_bytes: usize,
    /// Size limit of a request head in bytes.
    pub max_header_bytes: usize,
    /// Number of fields of a request head.
    pub max_headers: NonZeroUsize,
    /// Number of concurrent HTTP/2 streams on one connection.
    pub http2_max_streams: NonZeroU32,
    /// Flow-control window of one HTTP/2 stream in bytes.
    pub http2_stream_window_bytes: u32,
    /// Flow-control window of an HTTP/2 connection in bytes.
    pub http2_connection_window_bytes: u32,
}

impl ConnectionLimits {
    /// Limits of an HTTP/1 message.
    pub(crate) fn message(&self, bodies: &BodyLimits) -> MessageLimits {
        MessageLimits {
            head_bytes: self.max_header_bytes,
            body_bytes: bodies.max_request_bytes,
            // The largest that `Uri` accepts.
            target_bytes: self.max_target_bytes.min(usize::from(u16::MAX) - 1),
            fields: self.max_headers.get(),
        }
    }
}

/// Limits of bodies.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Size limit of a request body in bytes.
    pub max_request_bytes: u64,
    /// Size limit of a response body in bytes.
    pub max_response_bytes: u64,
    /// Minimum rate of a request body in bytes/s.
    pub min_bytes_per_second: u64,
    /// Size of the buffer between guest and client in bytes.
    pub buffered_bytes: usize,
}
