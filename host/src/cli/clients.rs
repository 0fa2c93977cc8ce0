//! The flags that say what a client may do.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use clap::Args;

use super::values::{bytes, memory, number, seconds, timeout};
use server::{BodyLimits, ConnectionLimits};

/// What a client may send, and how long it may take.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits on clients")]
pub struct ClientFlags {
    /// How many connections may be open; beyond it a new one gets 503 and is closed
    /// [default: as many as the system lets this process have, at most 20000]
    #[arg(long, value_name = "NUMBER", value_parser = number::<NonZeroUsize>)]
    pub max_connections: Option<NonZeroUsize>,

    /// How long a client may take to send the head of a request, or for the handshake
    /// of TLS, in seconds; beyond it 408
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = timeout)]
    pub header_read_timeout: Duration,

    /// How long a connection may wait for its next request, in seconds; then it is closed
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub idle_timeout: Duration,

    /// How long a guest may take to begin its response to a client of HTTP/1 that has shut
    /// down its sending side, and may be gone, in seconds; then it is cancelled
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub half_close_timeout: Duration,

    /// How long a client may take nothing of a response, in seconds; then its
    /// connection is broken
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = timeout)]
    pub write_timeout: Duration,

    /// How many requests one connection may send; after them it is closed
    #[arg(long, value_name = "NUMBER", default_value = "100000", value_parser = number::<NonZeroU32>)]
    pub max_requests_per_connection: NonZeroU32,

    /// How long the target of a request may be, in bytes; beyond it 414
    #[arg(long, value_name = "BYTES", default_value = "8KiB", value_parser = memory)]
    pub max_target_size: usize,

    /// How large the head of a request may be, in bytes; beyond it 431
    #[arg(long, value_name = "BYTES", default_value = "32KiB", value_parser = memory)]
    pub max_header_size: usize,

    /// How many header fields a request may have; beyond it 431
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = number::<NonZeroUsize>)]
    pub max_headers: NonZeroUsize,

    /// How large the body of a request may be, in bytes; beyond it 413
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = bytes)]
    pub max_request_body: u64,

    /// How large the body of a response may be, in bytes; beyond it the guest has
    /// failed
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = bytes)]
    pub max_response_body: u64,

    /// How many bytes of a body a client must send in a second, on the average since it
    /// began, the first 5 seconds apart; below it 408
    #[arg(long, value_name = "BYTES", default_value = "512", value_parser = bytes)]
    pub min_body_rate: u64,

    /// How many bytes of a body are read before the guest begins, so that a slow client
    /// holds no instance, and how many of a response are kept for a client that is
    /// slower than the guest
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = memory)]
    pub body_buffer: usize,

    /// How many streams one connection of HTTP/2 may have at once
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = number::<NonZeroU32>)]
    pub http2_max_streams: NonZeroU32,

    /// How many bytes a client of HTTP/2 may send ahead on one stream
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = memory)]
    pub http2_stream_window: usize,

    /// How many bytes it may send ahead on all streams of a connection
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = memory)]
    pub http2_connection_window: usize,
}

impl ClientFlags {
    /// What a connection may do.
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

    /// What a body may be like.
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

/// The largest window that HTTP/2 knows (RFC 9113, section 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;
