//! Complete bodies from and to WASI streams, with the fewest calls.

use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};

/// Maximum number of bytes of one read.
const CHUNK_BYTES: usize = 64 * 1024;

/// Why a body could not be read to its end.
pub(crate) enum ReadError {
    /// It is longer than the limit.
    TooLong,
    /// It ended before it was complete, for this reason.
    Aborted(String),
}

/// Reads a stream of at most `limit` bytes to its end, which is after `declared` bytes if that
/// is known.
///
/// A longer stream is read up to one byte beyond the limit.
pub(crate) fn read_to_end(
    stream: &InputStream,
    declared: Option<usize>,
    limit: usize,
) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    // The host enforces the declared length, so that a further read for the end is
    // unnecessary.
    while declared != Some(bytes.len()) {
        let room = limit + 1 - bytes.len();
        match stream.blocking_read(room.min(CHUNK_BYTES) as u64) {
            // Most bodies have one chunk, which is not copied.
            Ok(chunk) if bytes.is_empty() => bytes = chunk,
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(ReadError::Aborted(error.to_debug_string()));
            }
        }
        if bytes.len() > limit {
            return Err(ReadError::TooLong);
        }
    }
    Ok(bytes)
}

/// Writes all of `bytes`, with backpressure.
pub(crate) fn write_all(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let permitted = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        if permitted == 0 {
            stream.subscribe().block();
            continue;
        }
        let (now, later) = bytes.split_at(permitted.min(bytes.len()));
        stream.write(now)?;
        bytes = later;
    }
    Ok(())
}
