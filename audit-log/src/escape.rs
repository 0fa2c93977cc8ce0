//! JSON that looks on every screen like what it is.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

/// Appends `value` to `buffer` as JSON on one line.
///
/// Beyond what JSON demands this escapes every character that could make a
/// terminal or an editor show something else than what is there: all control
/// characters, line separators, and marks that turn the direction of text.
pub(crate) fn write(buffer: &mut Vec<u8>, value: &impl Serialize) {
    value
        .serialize(&mut Serializer::with_formatter(buffer, OneLine))
        .expect("memory can be written, and all keys are strings");
}

struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Nearly every text is of plain ASCII, where this is all there is to see.
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

/// Whether a character is shown as something else than itself, or not at all.
pub(crate) fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}'                           // soft hyphen
            | '\u{061c}' | '\u{200e}' | '\u{200f}' // direction marks
            | '\u{200b}'..='\u{200d}'            // zero width
            | '\u{2028}' | '\u{2029}'            // line and paragraph separators
            | '\u{202a}'..='\u{202e}'            // embeddings and overrides
            | '\u{2060}'..='\u{2064}'            // invisible operators
            | '\u{2066}'..='\u{206f}'            // isolates and deprecated format characters
            | '\u{feff}'                         // byte order mark
            | '\u{fff9}'..='\u{fffb}'            // interlinear annotation
            | '\u{e0000}'..='\u{e007f}'          // tags
        )
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
    fn what_deceives_is_escaped_and_read_back_as_it_was() {
        for character in ('\0'..=char::MAX).filter(|&c| is_deceptive(c)) {
            let text = format!("ä{character}b");
            let json = json(&text);
            assert!(!json.chars().any(is_deceptive), "{json}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn what_does_not_deceive_stays_as_it_is() {
        for text in ["plain", "Grüße", "日本語", "\u{1f980}"] {
            assert_eq!(json(text), format!("\"{text}\""));
        }
        assert_eq!(json("\"\\"), r#""\"\\""#);
    }
}
