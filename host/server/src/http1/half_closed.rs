//! A client that has shut down its sending side before its request is answered.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::connection_state::ConnectionState;
use crate::transport::socket::Socket;

/// The interval in which the state of the connection is checked: no event reports it once the end
/// of the incoming stream was read.
const TICK: Duration = Duration::from_millis(50);

/// Waits for the response, which the client may still read: over TCP nothing distinguishes such a
/// client from one that has closed its socket (RFC 9112, section 9.6).
pub(super) struct HalfClosed {
    /// Time limit of the response head.
    limit: Duration,
    /// The number of the request that is waited for, and the start of its time.
    request: u64,
    since: Instant,
    tick: Pin<Box<Sleep>>,
}

impl HalfClosed {
    pub(super) fn begin(limit: Duration) -> Self {
        Self {
            limit,
            request: 0,
            since: Instant::now(),
            tick: Box::pin(sleep(Duration::ZERO)),
        }
    }

    /// Ready, with the reason, when the connection is reset or closed, or no response has begun in
    /// time.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        state: &ConnectionState,
        socket: &Socket,
    ) -> Poll<io::Error> {
        while self.tick.as_mut().poll(cx).is_ready() {
            if socket.is_closed() {
                return Poll::Ready(io::ErrorKind::ConnectionReset.into());
            }
            if state.begun() != self.request {
                self.request = state.begun();
                self.since = Instant::now();
            }
            let mut pause = TICK;
            if state.awaits_response() {
                let left = self.limit.saturating_sub(self.since.elapsed());
                if left.is_zero() {
                    return Poll::Ready(io::ErrorKind::ConnectionAborted.into());
                }
                pause = pause.min(left);
            }
            self.tick.as_mut().reset(Instant::now() + pause);
        }
        Poll::Pending
    }
}
