//! The bytes that the strict reader accepts.

use http1_strict::{MessageLimits, Progress, StrictReader};

/// Limits that inputs of a few hundred bytes can meet.
const LIMITS: MessageLimits = MessageLimits {
    head_bytes: 2048,
    body_bytes: u64::MAX,
    target_bytes: 256,
    fields: 16,
};

/// The accepted bytes, and the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The bytes that hyper reads.
    pub bytes: Vec<u8>,
    /// Number of heads in them.
    pub heads: u64,
    /// The status of the violation, if there was one.
    pub status: Option<u16>,
}

/// Reads `input` in pieces of `at_once` bytes.
///
/// # Panics
///
/// Panics if the reader accepts more bytes than it got, or makes no progress.
#[must_use]
pub fn read(input: &[u8], at_once: usize) -> Accepted {
    let mut reader = StrictReader::new(LIMITS);
    let mut bytes = Vec::new();
    let mut held = Vec::new();
    for piece in input.chunks(at_once) {
        held.extend_from_slice(piece);
        while !held.is_empty() {
            match reader.advance(&mut held) {
                Ok(Progress::Accept(count)) => {
                    assert!(count > 0, "no progress");
                    bytes.extend(held.drain(..count));
                }
                Ok(Progress::Discard(count)) => {
                    assert!(count > 0, "no progress");
                    drop(held.drain(..count));
                }
                Ok(Progress::Rewrite(line)) => held = line.replace_in(&held),
                Ok(Progress::Incomplete) => break,
                Err(violation) => {
                    return Accepted {
                        bytes,
                        heads: reader.heads(),
                        status: Some(violation.status().as_u16()),
                    };
                }
            }
        }
        let limit = LIMITS.head_bytes.max(at_once);
        assert!(
            held.len() <= limit,
            "the reader buffers more than the limit of a head"
        );
    }
    Accepted {
        bytes,
        heads: reader.heads(),
        status: None,
    }
}
