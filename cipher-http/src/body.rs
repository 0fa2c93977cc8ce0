//! A request body while it is read, within its limit.

use alloc::format;
use alloc::vec::Vec;
use core::fmt::Display;

use crate::{MAX_BODY_BYTES, Problem};

/// Maximum number of bytes of one read.
const CHUNK_BYTES: usize = 64 * 1024;

/// The bytes of a request body that were read so far.
///
/// A body without a declared length is read up to one byte beyond the limit.
#[derive(Debug)]
pub struct Body {
    bytes: Vec<u8>,
    /// The end of the body: its declared length, or else the limit and one byte.
    end: usize,
}

impl Body {
    /// A body of `declared` bytes, if that is known.
    pub(crate) fn new(declared: Option<usize>) -> Result<Self, Problem> {
        if declared.is_some_and(|length| length > MAX_BODY_BYTES) {
            return Err(Problem::too_large());
        }
        Ok(Self {
            bytes: Vec::new(),
            end: declared.unwrap_or(MAX_BODY_BYTES + 1),
        })
    }

    /// The size of the next read in bytes, or `None` after the last byte.
    ///
    /// The host enforces the declared length, so that a read for the end of the stream is
    /// unnecessary.
    #[must_use]
    pub fn next_read(&self) -> Option<usize> {
        let missing = self.end - self.bytes.len();
        (missing > 0).then_some(missing.min(CHUNK_BYTES))
    }

    /// Appends the bytes of one read, which are at most those of [`next_read`](Self::next_read).
    ///
    /// # Errors
    ///
    /// Returns 413 if the body exceeds the limit.
    pub fn push(&mut self, chunk: Vec<u8>) -> Result<(), Problem> {
        if self.bytes.is_empty() {
            // Most bodies have one chunk, which is not copied.
            self.bytes = chunk;
        } else {
            self.bytes.extend_from_slice(&chunk);
        }
        if self.bytes.len() > MAX_BODY_BYTES {
            return Err(Problem::too_large());
        }
        Ok(())
    }

    /// The bytes of the body.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The problem of a body that ended early for this reason: 400.
    #[must_use]
    pub fn incomplete(why: &dyn Display) -> Problem {
        Problem::bad_request(&format!("the body ended before it was complete: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Reads `length` bytes, at most `most` at once, and returns the number of reads.
    fn read(body: &mut Body, mut length: usize, most: usize) -> Result<usize, Problem> {
        let mut reads = 0;
        while let Some(size) = body.next_read().filter(|_| length > 0) {
            let chunk = size.min(most).min(length);
            length -= chunk;
            reads += 1;
            body.push(vec![b'a'; chunk])?;
        }
        Ok(reads)
    }

    #[test]
    fn a_body_is_complete_after_its_declared_length() {
        let mut body = Body::new(Some(100_000)).unwrap();
        assert_eq!(read(&mut body, 100_000, usize::MAX).unwrap(), 2);
        assert_eq!(body.next_read(), None);
        assert_eq!(body.into_bytes().len(), 100_000);
    }

    #[test]
    fn a_declared_length_of_zero_needs_no_read() {
        assert_eq!(Body::new(Some(0)).unwrap().next_read(), None);
    }

    #[test]
    fn a_declared_length_beyond_the_limit_is_413_before_a_read() {
        assert!(Body::new(Some(MAX_BODY_BYTES)).is_ok());
        let problem = Body::new(Some(MAX_BODY_BYTES + 1)).unwrap_err();
        assert_eq!(problem.status(), 413);
    }

    #[test]
    fn a_body_without_declared_length_is_413_one_byte_beyond_the_limit() {
        for most in [1000, usize::MAX] {
            let mut body = Body::new(None).unwrap();
            read(&mut body, MAX_BODY_BYTES, most).unwrap();
            assert_eq!(body.next_read(), Some(1));
            assert_eq!(body.push(vec![b'a']).unwrap_err().status(), 413);
        }
    }

    #[test]
    fn chunks_keep_their_order() {
        let mut body = Body::new(None).unwrap();
        for chunk in ["he", "", "llo"] {
            body.push(chunk.as_bytes().to_vec()).unwrap();
        }
        assert_eq!(body.into_bytes(), b"hello");
    }
}
