//! The gate before HTTP/1.1, without a server around it, for inputs that nobody thought
//! of.
//!
//! - [`gate`]: what the gate of `host` lets through. It is compiled from the files of
//!   `host`, because a program that links all of `host` takes minutes to link.
//! - [`reader`]: reads what was let through, as RFC 9112 says.
//! - [`library`]: reads it as the server does, with the library hyper.
//! - [`check`]: compares all of them.
//!
//! `tests/` runs this on changed cases of the corpus of `tests/`, and
//! `targets/` with libFuzzer.

pub mod gate;
pub mod library;
pub mod reader;

mod metrics;
mod server;

/// A request, as somebody has read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The method.
    pub method: String,
    /// The path and the query of the target.
    pub target: String,
    /// The body without its framing, if all of it was there.
    pub body: Option<Vec<u8>>,
}

/// Checks all that must hold of `input`, of which the server gets so many bytes at once.
///
/// # Panics
///
/// Panics where something does not hold.
pub fn check(input: &[u8], at_once: usize) {
    let whole = gate::pass(input, input.len().max(1));
    let pieces = gate::pass(input, at_once.max(1));
    assert_eq!(
        whole.status.is_some(),
        pieces.status.is_some(),
        "it depends on the size of packets whether this is refused: {whole:?} {pieces:?}"
    );
    if whole.status.is_none() {
        assert_eq!(
            whole.bytes, pieces.bytes,
            "what passes depends on the size of packets"
        );
    }
    let requests = reader::read(&whole.bytes).unwrap_or_else(|why| {
        let passed = whole.bytes.escape_ascii();
        panic!("the gate let something through that is not HTTP/1.1: {why}: {passed}")
    });
    assert_eq!(
        requests.all.len() as u64,
        whole.heads,
        "the gate counts other heads"
    );
    let found = library::read(&whole.bytes);
    assert!(
        requests.all.starts_with(&found) && found.len() >= requests.needed,
        "hyper reads something else: {}: {found:?} instead of {requests:?}",
        whole.bytes.escape_ascii()
    );
}
