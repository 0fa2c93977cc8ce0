//! JSON in which deceptive characters are escaped.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use crate::is_deceptive;

/// Appends `value` to `buffer` as JSON on one line.
///
/// Escapes deceptive characters (see [`is_deceptive`]) in addition to those that JSON requires.
///
/// # Panics
///
/// Panics if the value cannot be serialized, such as a map whose keys are not strings.
pub fn write(buffer: &mut Vec<u8>, value: &impl Serialize) {
    value
        .serialize(&mut Serializer::with_formatter(buffer, OneLine))
        .expect("memory can be written, and all keys are strings");
}

/// Returns `value` as JSON on several lines, escaped like [`write`](fn@write).
///
/// # Panics
///
/// Panics if the value cannot be serialized, such as a map whose keys are not strings.
pub fn pretty(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value)
        .expect("memory can be written, and all keys are strings");
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text.as_str();
    // ASCII control characters are escaped already, except for the line feeds between values.
    // All other deceptive characters are in strings, where an escape is allowed.
    while let Some((at, found)) = rest
        .char_indices()
        .find(|&(_, c)| c >= '\u{7f}' && is_deceptive(c))
    {
        escaped.push_str(&rest[..at]);
        let mut units = [0; 2];
        for unit in found.encode_utf16(&mut units) {
            // Writing to a string does not fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
        rest = &rest[at + found.len_utf8()..];
    }
    escaped.push_str(rest);
    escaped
}

struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // The fast path: nearly all text is printable ASCII.
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        let mut rest = fragment;
        while let Some((at, found)) = rest.char_indices().find(|&(_, c)| is_deceptive(c)) {
            CompactFormatter.write_string_fragment(writer, &rest[..at])?;
            let mut units = [0; 2];
            for unit in found.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + found.len_utf8()..];
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        let mut buffer = Vec::new();
        write(&mut buffer, &text);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn deceptive_characters_are_escaped_and_parsed_back() {
        for character in ('\0'..=char::MAX).filter(|&c| is_deceptive(c)) {
            let text = format!("ä{character}b");
            let json = json(&text);
            assert!(!json.chars().any(is_deceptive), "{json}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            let pretty = pretty(&[&text]);
            assert!(!pretty.chars().any(|c| c != '\n' && is_deceptive(c)));
            assert_eq!(
                serde_json::from_str::<[String; 1]>(&pretty).unwrap(),
                [text]
            );
        }
    }

    #[test]
    fn other_characters_are_unchanged() {
        for text in ["plain", "Grüße", "日本語", "\u{1f980}"] {
            assert_eq!(json(text), format!("\"{text}\""));
        }
        assert_eq!(json("\"\\"), r#""\"\\""#);
    }
}
