//! Complete bodies from and to WASI streams, with the fewest calls.

use alloc::vec::Vec;

use cipher_http::{Body, Problem};

use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};

/// Reads a stream to the end of the body.
pub(crate) fn read_to_end(stream: &InputStream, mut body: Body) -> Result<Vec<u8>, Problem> {
    while let Some(size) = body.next_read() {
        match stream.blocking_read(size as u64) {
            Ok(chunk) => body.push(chunk)?,
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(Body::incomplete(&error.to_debug_string()));
            }
        }
    }
    Ok(body.into_bytes())
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
