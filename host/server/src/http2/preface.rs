//! The first bytes of an HTTP/2 connection.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::settings::ConnectionLimits;
use crate::transport::socket::Socket;

/// The connection preface of a client (RFC 9113, section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads as many bytes as show that the first frame is SETTINGS (RFC 9113, section 3.4), and sends
/// GOAWAY to a client of which it is not.
pub(crate) async fn read_preface(
    socket: &mut Socket,
    begun: &mut BytesMut,
    limits: &ConnectionLimits,
) -> bool {
    const FRAME_HEAD_BYTES: usize = 9;
    const TYPE_AT: usize = PREFACE.len() + 3;
    const SETTINGS: u8 = 4;
    /// Empty settings, and the end of the connection because of a protocol error.
    const GO_AWAY: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01";

    let is_prefix = |begun: &[u8]| begun.starts_with(PREFACE) || PREFACE.starts_with(begun);
    let whole = PREFACE.len() + FRAME_HEAD_BYTES;
    let read = timeout(limits.header_read_timeout, async {
        // An invalid preface is not waited for.
        while begun.len() < whole
            && is_prefix(begun)
            && socket.read_buf(begun).await.is_ok_and(|count| count > 0)
        {}
    });
    if read.await.is_err() || (begun.len() < whole && is_prefix(begun)) {
        return false;
    }
    let is_good = is_prefix(begun) && begun[TYPE_AT] == SETTINGS;
    if !is_good {
        // The client has broken the protocol and need not read this.
        let _ = timeout(limits.write_timeout, socket.write_all(GO_AWAY)).await;
        let _ = socket.shutdown().await;
    }
    is_good
}
