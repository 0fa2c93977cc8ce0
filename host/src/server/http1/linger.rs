//! How a connection ends, so that its client sees the last response.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How much is read and thrown away.
const MAX_BYTES: usize = 4 << 20;

/// How long that may take.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Reads on what nobody wants. A connection that is closed while its client still sends
/// is reset, and with it goes the response that is on its way (RFC 9112, section 9.6).
pub(super) struct Linger {
    time: Pin<Box<Sleep>>,
    bytes: usize,
}

impl Linger {
    pub(super) fn begin() -> Self {
        Self {
            time: Box::pin(sleep(MAX_TIME)),
            bytes: 0,
        }
    }

    /// Is ready when the client has closed its end, or has sent or waited enough.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut (impl AsyncRead + Unpin),
        scratch: &mut [u8],
    ) -> Poll<io::Result<()>> {
        while self.bytes < MAX_BYTES && self.time.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(scratch);
            let read = ready!(Pin::new(&mut *socket).poll_read(cx, &mut buffer));
            let count = buffer.filled().len();
            if read.is_err() || count == 0 {
                break;
            }
            self.bytes += count;
        }
        Poll::Ready(Ok(()))
    }
}
