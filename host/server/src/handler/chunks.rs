//! Bodies whose beginning was read already.

use bytes::{Bytes, BytesMut};
use http_body::SizeHint;

/// Joins both pieces. Most bodies have only one.
pub(crate) fn join(first: Bytes, more: &[u8]) -> Bytes {
    if more.is_empty() {
        return first;
    }
    let mut whole = BytesMut::with_capacity(first.len() + more.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(more);
    whole.freeze()
}

/// Size hint of a body that has `begun`, and continues with `rest`.
pub(crate) fn size(begun: &Bytes, rest: &SizeHint) -> SizeHint {
    let begun = begun.len() as u64;
    let mut size = SizeHint::new();
    size.set_lower(begun + rest.lower());
    if let Some(upper) = rest.upper() {
        size.set_upper(begun + upper);
    }
    size
}
