//! Lingering close: the end of a connection, such that its client receives the last response.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Time limit of lingering.
const MAX_TIME: Duration = Duration::from_secs(30);

/// The time in which the rate of a client does not matter.
const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// The minimum rate after that, in bytes/s: a client that continues an upload is much faster.
const MIN_RATE: u64 = 64 << 10;

/// Reads and discards what the client sends. The system resets a connection that is closed while
/// its client still sends, and the response is lost with it (RFC 9112, section 9.6): a proxy would
/// answer 502 instead.
pub(super) struct Linger {
    begin: Instant,
    /// The time until which the client has to have sent more.
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

    /// Ready when the client has closed its side, its time is over, or it is too slow.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut (impl AsyncRead + Unpin),
        read_buffer: &mut [u8],
    ) -> Poll<io::Result<()>> {
        loop {
            let mut buffer = ReadBuf::new(read_buffer);
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

/// The time of a client that has sent this number of bytes.
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
    fn lingering_reads_an_upload_up_to_its_time_limit() {
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
            let mut read_buffer = vec![0; 64 << 10];
            poll_fn(|cx| linger.poll(cx, &mut server, &mut read_buffer))
                .await
                .unwrap();
            assert_eq!(linger.bytes, BYTES as u64);
            sending.await.unwrap();
        });
    }

    #[test]
    fn lingering_ends_after_the_grace_period_without_data() {
        let runtime = Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(async {
            let (_client, mut server) = tokio::io::duplex(64);
            let mut linger = Linger::begin();
            let end = poll_fn(|cx| linger.poll(cx, &mut server, &mut [0; 64]));
            timeout(MAX_TIME, end).await.unwrap().unwrap();
        });
    }
}
