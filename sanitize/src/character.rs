//! Deceptive characters.

/// Whether a character is invisible or changes the display of others: control characters, line
/// separators, and Unicode's `Default_Ignorable_Code_Point`, which includes the bidirectional
/// marks.
#[must_use]
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}'                           // soft hyphen
            | '\u{034f}'                         // combining grapheme joiner
            | '\u{061c}'                         // Arabic letter mark, a direction mark
            | '\u{115f}' | '\u{1160}'            // Hangul fillers
            | '\u{17b4}' | '\u{17b5}'            // inherent vowels of Khmer
            | '\u{180b}'..='\u{180f}'            // Mongolian variations and separator
            | '\u{200b}'..='\u{200f}'            // zero width, direction marks
            | '\u{2028}'..='\u{202e}'            // separators, embeddings and overrides
            | '\u{2060}'..='\u{206f}'            // invisible operators, isolates, deprecated
            | '\u{3164}'                         // Hangul filler
            | '\u{feff}'                         // byte order mark
            | '\u{ffa0}'                         // Hangul filler of half width
            | '\u{fff0}'..='\u{fffb}'            // unassigned, interlinear annotation
            | '\u{fffe}' | '\u{ffff}'            // not characters
            | '\u{1bca0}'..='\u{1bca3}'          // shorthand format controls
            | '\u{1d173}'..='\u{1d17a}'          // musical format controls
            | '\u{e0000}'..='\u{e0fff}'          // tags, variations
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_punctuation_and_emoji_are_not_deceptive() {
        for text in [
            "wasi:http/types@0.2.12",
            "Grüße",
            "日本語",
            "עברית",
            "❤\u{fe0f}",
            "\u{fffd}",
        ] {
            assert!(!text.chars().any(is_deceptive), "{text}");
        }
    }

    #[test]
    fn controls_bidi_marks_and_zero_width_characters_are_deceptive() {
        for character in "\0\t\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{200b}\u{200d}\u{200f}\u{2028}\
             \u{202e}\u{2066}\u{feff}\u{3164}\u{e0041}"
            .chars()
        {
            assert!(is_deceptive(character), "{character:?}");
        }
    }
}
