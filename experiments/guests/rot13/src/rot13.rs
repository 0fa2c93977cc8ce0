//! ROT13: each ASCII letter is shifted by half of the alphabet.

use alloc::string::String;

/// Shifts every ASCII letter by 13 places and keeps its case; all other bytes are unchanged. The
/// function is its own inverse.
pub(crate) fn rotate(message: String) -> String {
    let mut bytes = message.into_bytes();
    for byte in &mut bytes {
        match byte {
            b'a'..=b'm' | b'A'..=b'M' => *byte += 13,
            b'n'..=b'z' | b'N'..=b'Z' => *byte -= 13,
            _ => {}
        }
    }
    String::from_utf8(bytes).expect("ASCII in place of ASCII keeps UTF-8 valid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn letters_are_shifted_by_13_and_keep_their_case() {
        assert_eq!(rotate("Hello, World".into()), "Uryyb, Jbeyq");
        assert_eq!(rotate("amnz AMNZ".into()), "nzam NZAM");
    }

    #[test]
    fn other_characters_are_unchanged() {
        let text = "0123 .,;\n\t\0 äöü ß é 日本語 🦀 @[`{";
        assert_eq!(rotate(text.into()), text);
    }

    proptest! {
        #[test]
        fn rotate_is_its_own_inverse(message: String) {
            prop_assert_eq!(rotate(rotate(message.clone())), message);
        }
    }
}
