//! ROT13: each ASCII letter moves half way round the alphabet.

use alloc::string::String;

/// Moves every ASCII letter by 13 places and keeps its case; everything else
/// stays byte for byte. Twice is back where it began.
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
    fn letters_move_by_13_and_keep_their_case() {
        assert_eq!(rotate("Hello, World".into()), "Uryyb, Jbeyq");
        assert_eq!(rotate("amnz AMNZ".into()), "nzam NZAM");
    }

    #[test]
    fn what_is_no_ascii_letter_stays_as_it_is() {
        let text = "0123 .,;\n\t\0 äöü ß é 日本語 🦀 @[`{";
        assert_eq!(rotate(text.into()), text);
    }

    proptest! {
        #[test]
        fn twice_is_back_where_it_began(message: String) {
            prop_assert_eq!(rotate(rotate(message.clone())), message);
        }
    }
}
