//! Bytes as text: `\r`, `\n`, `\t`, `\0`, `\\`, `\xNN`, and `\{N:TEXT}` for a text N
//! times.

use std::fmt::Write;

/// The bytes of an escaped text.
///
/// # Errors
///
/// Names an invalid escape.
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let error = || format!("`\\{after}` is not an escape");
        let kind = after.chars().next().ok_or_else(error)?;
        rest = &after[kind.len_utf8()..];
        match kind {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            '0' => bytes.push(0),
            '\\' => bytes.push(b'\\'),
            'x' => {
                let digits = rest.get(..2).ok_or_else(error)?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|_| error())?);
                rest = &rest[2..];
            }
            '{' => {
                let (repeated, after) = rest.split_once('}').ok_or_else(error)?;
                let (times, text) = repeated.split_once(':').ok_or_else(error)?;
                let times: usize = times.parse().map_err(|_| error())?;
                bytes.extend(unescape(text)?.repeat(times));
                rest = after;
            }
            _ => return Err(error()),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// These bytes as escaped text, truncated.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    /// Maximum number of bytes shown.
    const SHOWN_BYTES: usize = 200;

    let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let mut text = shown.escape_ascii().to_string();
    if bytes.len() > shown.len() {
        // Writing into memory does not fail.
        let _ = write!(text, "… ({} bytes)", bytes.len());
    }
    text
}
