//! The Vigenère cipher: each ASCII letter is shifted by the next letter of a key. The crate is
//! independent of components; two guests use it.
#![no_std]

extern crate alloc;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The environment variable of the key.
const VARIABLE: &str = "VIGENERE_KEY";

/// Number of letters in the alphabet.
const LETTERS: u8 = 26;

/// The numbers of places that encryption shifts the letters forward in turn: 0 to 25.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Not empty.
    shifts: Vec<u8>,
}

/// `VIGENERE_KEY` is missing, or has other characters than ASCII letters.
#[derive(Debug, PartialEq, Eq)]
pub struct UnusableKey {
    value: Option<String>,
}

impl fmt::Display for UnusableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "environment variable `{VARIABLE}` must be ASCII letters such as LEMON, "
        )?;
        match &self.value {
            Some(value) => write!(f, "found `{}`", value.escape_debug()),
            None => f.write_str("and it is not set"),
        }
    }
}

impl core::error::Error for UnusableKey {}

impl Key {
    /// Reads the key from the environment. The last setting of a duplicate variable wins, as in a
    /// shell. The key has no default.
    ///
    /// # Errors
    ///
    /// Returns an error with variable and value, unless the value is one or more ASCII letters.
    pub fn from_environment(variables: &[(String, String)]) -> Result<Self, UnusableKey> {
        let set = variables.iter().rev().find(|(name, _)| name == VARIABLE);
        let value = set.map(|(_, value)| value.as_str());
        let key = value.and_then(Self::parse);
        key.ok_or_else(|| UnusableKey {
            value: value.map(ToString::to_string),
        })
    }

    fn parse(value: &str) -> Option<Self> {
        let shift = |byte: u8| {
            let is_letter = byte.is_ascii_alphabetic();
            is_letter.then(|| byte.to_ascii_lowercase() - b'a')
        };
        let shifts = value.bytes().map(shift).collect::<Option<Vec<_>>>()?;
        (!shifts.is_empty()).then_some(Self { shifts })
    }

    /// Shifts every ASCII letter forward and keeps its case. All other bytes are unchanged, and
    /// do not advance the key.
    #[must_use]
    pub fn encrypt(&self, message: String) -> String {
        shift_letters(message, self.shifts.iter().copied())
    }

    /// The inverse of [`encrypt`](Self::encrypt).
    #[must_use]
    pub fn decrypt(&self, message: String) -> String {
        shift_letters(message, self.shifts.iter().map(|shift| LETTERS - shift))
    }
}

fn shift_letters(message: String, shifts: impl Iterator<Item = u8> + Clone) -> String {
    let mut shifts = shifts.cycle();
    let mut bytes = message.into_bytes();
    for byte in &mut bytes {
        let first = match byte {
            b'a'..=b'z' => b'a',
            b'A'..=b'Z' => b'A',
            _ => continue,
        };
        let shift = shifts.next().expect("a key is not empty");
        *byte = first + (*byte - first + shift) % LETTERS;
    }
    String::from_utf8(bytes).expect("ASCII in place of ASCII keeps UTF-8 valid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    fn environment(values: &[&str]) -> Vec<(String, String)> {
        let unrelated = ("PATH".to_string(), "/bin".to_string());
        let set = |value: &&str| (VARIABLE.to_string(), value.to_string());
        values.iter().map(set).chain([unrelated]).collect()
    }

    fn key(value: &str) -> Key {
        Key::from_environment(&environment(&[value])).unwrap()
    }

    #[test]
    fn each_letter_is_shifted_by_the_next_letter_of_the_key() {
        // The textbook's example.
        let encrypted = key("LEMON").encrypt("ATTACKATDAWN".into());
        assert_eq!(encrypted, "LXFOPVEFRNHR");
    }

    #[test]
    fn letters_keep_their_case_and_the_key_ignores_case() {
        assert_eq!(key("LeMoN").encrypt("AttackAtDawn".into()), "LxfopvEfRnhr");
    }

    #[test]
    fn other_characters_are_unchanged_and_do_not_advance_the_key() {
        let encrypted = key("lemon").encrypt("at, tä9 a🦀ck".into());
        assert_eq!(encrypted, "lx, fä9 o🦀pv");
    }

    #[test]
    fn a_key_of_one_letter_is_a_shift() {
        assert_eq!(key("d").encrypt("hello xyz".into()), "khoor abc");
        assert_eq!(key("a").encrypt("hello".into()), "hello");
    }

    #[test]
    fn the_last_setting_of_vigenere_key_wins() {
        let last = Key::from_environment(&environment(&["a", "b"])).unwrap();
        assert_eq!(last, key("b"));
    }

    #[test]
    fn an_invalid_vigenere_key_is_named_in_the_error() {
        for value in ["", "LEMON3", "LE MON", "é", "LEMON\n"] {
            let error = Key::from_environment(&environment(&[value])).unwrap_err();
            let text = error.to_string();
            assert!(text.contains("VIGENERE_KEY"), "{text}");
            assert!(
                text.contains(&format!("`{}`", value.escape_debug())),
                "{text}"
            );
        }
    }

    #[test]
    fn a_missing_vigenere_key_is_named_in_the_error() {
        let error = Key::from_environment(&environment(&[])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`VIGENERE_KEY`"), "{text}");
        assert!(text.contains("not set"), "{text}");
    }

    proptest! {
        #[test]
        fn decrypt_is_the_inverse_of_encrypt(message: String, letters in "[a-zA-Z]{1,40}") {
            let key = key(&letters);
            prop_assert_eq!(key.decrypt(key.encrypt(message.clone())), message);
        }

        #[test]
        fn the_length_never_changes(message: String, letters in "[a-zA-Z]{1,40}") {
            let length = message.len();
            prop_assert_eq!(key(&letters).encrypt(message).len(), length);
        }
    }
}
