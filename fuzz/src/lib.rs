//! The strict reader of HTTP/1, compared with an independent reader and with hyper.
//!
//! - [`strict`]: the bytes that the crate `http1-strict` accepts.
//! - [`reader`]: reads these bytes independently, by RFC 9112.
//! - [`library`]: reads them as the server does, with hyper.
//! - [`check`]: compares all of them.
//!
//! `tests/` runs this on mutated cases of the end-to-end corpus, and `targets/` with libFuzzer.

pub mod library;
pub mod reader;
pub mod strict;

/// A request, as one of the readers has read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The method.
    pub method: String,
    /// The path and the query of the target.
    pub target: String,
    /// The body without its framing, if all of it was there.
    pub body: Option<Vec<u8>>,
}

/// Checks `input`, which arrives in pieces of `at_once` bytes.
///
/// # Panics
///
/// Panics if the readers differ.
pub fn check(input: &[u8], at_once: usize) {
    let whole = strict::read(input, input.len().max(1));
    let pieces = strict::read(input, at_once.max(1));
    assert_eq!(
        whole.status.is_some(),
        pieces.status.is_some(),
        "the size of packets decides whether this is rejected: {whole:?} {pieces:?}"
    );
    if whole.status.is_none() {
        assert_eq!(
            whole.bytes, pieces.bytes,
            "the accepted bytes depend on the size of packets"
        );
    }
    let requests = reader::read(&whole.bytes).unwrap_or_else(|why| {
        let passed = whole.bytes.escape_ascii();
        panic!("the strict reader accepted something that is not HTTP/1.1: {why}: {passed}")
    });
    assert_eq!(
        requests.all.len() as u64,
        whole.heads,
        "the strict reader counts other heads"
    );
    let found = library::read(&whole.bytes);
    assert!(
        requests.all.starts_with(&found) && found.len() >= requests.needed,
        "hyper reads something else: {}: {found:?} instead of {requests:?}",
        whole.bytes.escape_ascii()
    );
}
