//! What the gate lets through.

use crate::server;
use crate::server::http1::framing::{Framing, Progress};
use crate::server::http1::head::MessageLimits;

/// Limits that inputs of a few hundred bytes can meet.
const LIMITS: MessageLimits = MessageLimits {
    head_bytes: 2048,
    body_bytes: u64::MAX,
    target_bytes: 256,
    fields: 16,
};

/// What came through, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The bytes that hyper gets.
    pub bytes: Vec<u8>,
    /// How many heads are among them.
    pub heads: u64,
    /// The status of the refusal, if there was one.
    pub status: Option<u16>,
}

/// Sends `input` through the gate, so many bytes at once.
///
/// # Panics
///
/// Panics if the gate lets more through than there is, or makes no progress.
#[must_use]
pub fn pass(input: &[u8], at_once: usize) -> Passed {
    let mut framing = Framing::new(LIMITS);
    let mut bytes = Vec::new();
    let mut held = Vec::new();
    for piece in input.chunks(at_once) {
        held.extend_from_slice(piece);
        while !held.is_empty() {
            match framing.advance(&mut held) {
                Ok(Progress::Passes(count)) => {
                    assert!(count > 0, "no progress");
                    bytes.extend(held.drain(..count));
                }
                Ok(Progress::Skipped(count)) => {
                    assert!(count > 0, "no progress");
                    drop(held.drain(..count));
                }
                Ok(Progress::Replaced(line)) => held = line.replace_in(&held),
                Ok(Progress::Incomplete) => break,
                Err(refusal) => {
                    return Passed {
                        bytes,
                        heads: framing.heads,
                        status: Some(server::status(refusal)),
                    };
                }
            }
        }
        let limit = LIMITS.head_bytes.max(at_once);
        assert!(
            held.len() <= limit,
            "the gate waits for more than a head may be"
        );
    }
    Passed {
        bytes,
        heads: framing.heads,
        status: None,
    }
}
