//! Flags: limits on clients.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use clap::Args;
use server::{BodyLimits, ConnectionLimits};

use super::values::{bytes, memory, number, seconds, timeout};

/// Limits on connections, requests and bodies of clients.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits on clients")]
pub struct ClientFlags {
    /// Maximum number of open connections; beyond it a new one gets 503 and is closed
    /// [default: as many as the system lets this process have, at most 20000]
    #[arg(long, value_name = "NUMBER", value_parser = number::<NonZeroUsize>)]
    pub max_connections: Option<NonZeroUsize>,

    /// Timeout for the head of a request, and for the TLS handshake, in seconds; beyond it
    /// 408
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = timeout)]
    pub header_read_timeout: Duration,

    /// Idle timeout of a connection between two requests, in seconds; then it is closed
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub idle_timeout: Duration,

    /// Timeout for the head of the response to an HTTP/1 client that has shut down its sending
    /// side, and may be gone, in seconds; then the guest is cancelled
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub half_close_timeout: Duration,

    /// Timeout for a client that reads nothing of a response, in seconds; then its
    /// connection is closed
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = timeout)]
    pub write_timeout: Duration,

    /// Maximum number of requests on one connection; after them it is closed
    #[arg(long, value_name = "NUMBER", default_value = "100000", value_parser = number::<NonZeroU32>)]
    pub max_requests_per_connection: NonZeroU32,

    /// Maximum length of a request target, in bytes; beyond it 414
    #[arg(long, value_name = "BYTES", default_value = "8KiB", value_parser = memory)]
    pub max_target_size: usize,

    /// Maximum size of the head of a request, in bytes; beyond it 431
    #[arg(long, value_name = "BYTES", default_value = "32KiB", value_parser = memory)]
    pub max_header_size: usize,

    /// Maximum number of header fields of a request; beyond it 431
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = number::<NonZeroUsize>)]
    pub max_headers: NonZeroUsize,

    /// Maximum size of the body of a request, in bytes; beyond it 413
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = bytes)]
    pub max_request_body: u64,

    /// Maximum size of the body of a response, in bytes; beyond it the guest has
    /// failed
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = bytes)]
    pub max_response_body: u64,

    /// Minimum rate of a request body, in bytes/s, on average since its first byte, not
    /// enforced in the first 5 seconds; below it 408
    #[arg(long, value_name = "BYTES", default_value = "512", value_parser = bytes)]
    pub min_body_rate: u64,

    /// Number of body bytes to buffer before the guest starts, so that a slow client
    /// holds no instance, and of a response for a client that is slower than the guest
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = memory)]
    pub body_buffer: usize,

    /// Maximum number of concurrent streams on one HTTP/2 connection
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = number::<NonZeroU32>)]
    pub http2_max_streams: NonZeroU32,

    /// Flow-control window of one HTTP/2 stream, in bytes
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = memory)]
    pub http2_stream_window: usize,

    /// Flow-control window of one HTTP/2 connection, for all its streams, in bytes
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = memory)]
    pub http2_connection_window: usize,
}

impl ClientFlags {
    /// Limits of one connection.
    #[must_use]
    pub fn connection(&self) -> ConnectionLimits {
        let window = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).min(MAX_WINDOW);
        ConnectionLimits {
            max_connections: self.max_connections,
            header_read_timeout: self.header_read_timeout,
            idle_timeout: self.idle_timeout,
            half_close_timeout: self.half_close_timeout,
            write_timeout: self.write_timeout,
            max_requests: self.max_requests_per_connection,
            max_target_bytes: self.max_target_size,
            max_header_bytes: self.max_header_size,
            max_headers: self.max_headers,
            http2_max_streams: self.http2_max_streams,
            http2_stream_window_bytes: window(self.http2_stream_window),
            http2_connection_window_bytes: window(self.http2_connection_window),
        }
    }

    /// Limits of request and response bodies.
    #[must_use]
    pub fn bodies(&self) -> BodyLimits {
        BodyLimits {
            max_request_bytes: self.max_request_body,
            max_response_bytes: self.max_response_body,
            min_bytes_per_second: self.min_body_rate,
            buffered_bytes: self.body_buffer,
        }
    }
}

/// The largest window that HTTP/2 allows (RFC 9113, section 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;
