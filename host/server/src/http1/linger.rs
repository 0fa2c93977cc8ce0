//! How a connection ends, so that its client sees the last response.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// The most time for reading on.
const MAX_TIME: Duration = Duration::from_secs(30);

/// The time in which a client may send as slowly as it likes.
const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// The rate below which it is not read from any longer after that, in bytes/s: a client that
/// sends on what it had begun is much faster.
const MIN_RATE: u64 = 64 << 10;

/// Reads on and drops what comes. A connection that is closed while its client still sends is
/// reset, and with it goes the response that is on its way (RFC 9112, section 9.6): a proxy that
/// passes an upload on would answer 502 instead.
pub(super) struct Linger {
    begin: Instant,
    /// When the client has to have sent more.
    check: Pin<Box<Sleep>>,
    bytes: u64,
}

impl Linger {
    pub(super) fn begin() -> Self {
        Self {
            begin: Instant::now(),
            check: Box::pin(sleep(GRACE_PERIOD)),
            bytes: 0,
        }
    }

    /// Is ready when the client has closed its end, has had its time, or is too slow.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut (impl AsyncRead + Unpin),
        scratch: &mut [u8],
    ) -> Poll<io::Result<()>> {
        loop {
            let mut buffer = ReadBuf::new(scratch);
            if let Poll::Ready(read) = Pin::new(&mut *socket).poll_read(cx, &mut buffer) {
                let count = buffer.filled().len();
                if read.is_err() || count == 0 || self.begin.elapsed() >= MAX_TIME {
                    return Poll::Ready(Ok(()));
                }
                self.bytes += count as u64;
                continue;
            }
            if self.check.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let end = time_for(self.bytes).min(MAX_TIME);
            if self.begin.elapsed() >= end {
                return Poll::Ready(Ok(()));
            }
            self.check.as_mut().reset(self.begin + end);
        }
    }
}

/// The time that a client has which has sent so many bytes.
fn time_for(bytes: u64) -> Duration {
    GRACE_PERIOD + Duration::from_secs(bytes / MIN_RATE)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt;
    use tokio::runtime::Builder;
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn a_client_that_sends_on_has_time_for_all_of_it_and_no_more_than_the_limit() {
        assert_eq!(time_for(0), GRACE_PERIOD);
        assert_eq!(
            time_for(MIN_RATE * 3),
            GRACE_PERIOD + Duration::from_secs(3)
        );
        assert!(time_for(64 << 20) > MAX_TIME);
    }

    #[test]
    fn more_than_4_mib_are_read_to_their_end() {
        const BYTES: usize = 20 << 20;

        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut client, mut server) = tokio::io::duplex(64 << 10);
            let sending = tokio::spawn(async move {
                client.write_all(&vec![0; BYTES]).await.unwrap();
                client.shutdown().await.unwrap();
            });
            let mut linger = Linger::begin();
            let mut scratch = vec![0; 64 << 10];
            poll_fn(|cx| linger.poll(cx, &mut server, &mut scratch))
                .await
                .unwrap();
            assert_eq!(linger.bytes, BYTES as u64);
            sending.await.unwrap();
        });
    }

    #[test]
    fn a_client_that_sends_nothing_is_left_after_the_grace_period() {
        let runtime = Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(async {
            let (_client, mut server) = tokio::io::duplex(64);
            let mut linger = Linger::begin();
            let end = poll_fn(|cx| linger.poll(cx, &mut server, &mut [0; 64]));
            timeout(MAX_TIME, end).await.unwrap().unwrap();
        });
    }
}
