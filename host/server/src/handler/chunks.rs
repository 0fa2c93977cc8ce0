//! A body of which the beginning is here already.

use bytes::{Bytes, BytesMut};
use http_body::SizeHint;

/// Both in one piece. Most bodies are in one already.
pub(crate) fn join(first: Bytes, more: &[u8]) -> Bytes {
    if more.is_empty() {
        return first;
    }
    let mut whole = BytesMut::with_capacity(first.len() + more.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(more);
    whole.freeze()
}

/// How long a body is of which `begun` is here, and the rest is as long as `rest` says.
pub(crate) fn size(begun: &Bytes, rest: &SizeHint) -> SizeHint {
    let begun = begun.len() as u64;
    let mut size = SizeHint::new();
    size.set_lower(begun + rest.lower());
    if let Some(upper) = rest.upper() {
        size.set_upper(begun + upper);
    }
    size
}
