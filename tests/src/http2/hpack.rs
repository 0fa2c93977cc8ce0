//! HPACK encoding (RFC 7541) of header fields without tables and Huffman codes. Responses are
//! decoded by `loona_hpack`.

use loona_hpack::encoder::encode_integer;

/// A literal field without indexing.
#[must_use]
pub fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.extend(encode_integer(text.len(), 7));
        bytes.extend(text);
    }
    bytes
}
