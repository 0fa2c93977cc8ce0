//! The Caesar cipher: each ASCII letter is shifted by a fixed number of places in the
//! alphabet.

use alloc::string::{String, ToString};
use core::fmt;

/// The environment variable of the shift.
const VARIABLE: &str = "SHIFT_AMOUNT";

/// The default shift: that of Caesar, according to Suetonius.
const DEFAULT: Shift = Shift(3);

/// Number of letters in the alphabet.
const LETTERS: u8 = 26;

/// The number of places that encryption shifts a letter forward: 0 to 25.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shift(u8);

/// The value of `SHIFT_AMOUNT` is not an integer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAnInteger {
    value: String,
}

impl fmt::Display for NotAnInteger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "environment variable `{VARIABLE}` must be an integer such as 3 or -7, found `{}`",
            self.value.escape_debug()
        )
    }
}

impl Shift {
    /// Reads the shift from the environment. The last setting of a duplicate variable wins, as
    /// in a shell.
    pub(crate) fn from_environment(variables: &[(String, String)]) -> Result<Self, NotAnInteger> {
        match variables.iter().rev().find(|(name, _)| name == VARIABLE) {
            Some((_, value)) => Self::parse(value),
            None => Ok(DEFAULT),
        }
    }

    /// Parses a decimal integer of any length, and reduces it modulo the alphabet. Surrounding
    /// white space is allowed.
    fn parse(value: &str) -> Result<Self, NotAnInteger> {
        let text = value.trim();
        let (negative, digits) = match text.as_bytes() {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] | digits => (false, digits),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(NotAnInteger {
                value: value.to_string(),
            });
        }
        // 25 * 10 fits in a byte, 25 * 10 + 9 does not.
        let forward = Self(digits.iter().fold(0, |sum, digit| {
            (sum * 10 % LETTERS + (digit - b'0')) % LETTERS
        }));
        Ok(if negative { forward.inverse() } else { forward })
    }

    /// Shifts every ASCII letter forward and keeps its case; all other bytes are unchanged.
    pub(crate) fn encrypt(self, message: String) -> String {
        let mut bytes = message.into_bytes();
        for byte in &mut bytes {
            *byte = self.shift_letter(*byte);
        }
        String::from_utf8(bytes).expect("ASCII in place of ASCII keeps UTF-8 valid")
    }

    /// The inverse of [`encrypt`](Self::encrypt).
    pub(crate) fn decrypt(self, message: String) -> String {
        self.inverse().encrypt(message)
    }

    fn inverse(self) -> Self {
        Self((LETTERS - self.0) % LETTERS)
    }

    fn shift_letter(self, byte: u8) -> u8 {
        let first = match byte {
            b'a'..=b'z' => b'a',
            b'A'..=b'Z' => b'A',
            _ => return byte,
        };
        first + (byte - first + self.0) % LETTERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn environment(values: &[&str]) -> Vec<(String, String)> {
        let unrelated = ("PATH".to_string(), "/bin".to_string());
        let set = |value: &&str| (VARIABLE.to_string(), value.to_string());
        values.iter().map(set).chain([unrelated]).collect()
    }

    fn shift(value: &str) -> Shift {
        Shift::from_environment(&environment(&[value])).unwrap()
    }

    #[test]
    fn shift_amount_defaults_to_three() {
        let shift = Shift::from_environment(&environment(&[])).unwrap();
        assert_eq!(shift.encrypt("hello world".into()), "khoor zruog");
    }

    #[test]
    fn letters_keep_their_case_and_wrap_at_the_end_of_the_alphabet() {
        assert_eq!(shift("3").encrypt("xyz XYZ".into()), "abc ABC");
    }

    #[test]
    fn other_characters_are_unchanged() {
        let text = "0123 .,;\n\t\0 äöü ß é 日本語 🦀 @[`{";
        assert_eq!(shift("7").encrypt(text.into()), text);
    }

    #[test]
    fn a_negative_shift_amount_shifts_backwards() {
        assert_eq!(shift("-3").encrypt("abc".into()), "xyz");
    }

    #[test]
    fn shift_amount_is_reduced_modulo_26() {
        assert_eq!(shift("29"), shift("3"));
        assert_eq!(shift("-29"), shift("-3"));
        assert_eq!(shift("26"), shift("0"));
        assert_eq!(shift("-26"), shift("0"));
    }

    #[test]
    fn shift_amount_may_have_any_length() {
        // 10^30 = 14 (mod 26)
        let long = format!("1{}", "0".repeat(30));
        assert_eq!(shift(&long), shift("14"));
        assert_eq!(shift("+5"), shift("5"));
        assert_eq!(shift(" 5\n"), shift("5"));
    }

    #[test]
    fn the_last_setting_of_a_variable_counts() {
        let last = Shift::from_environment(&environment(&["1", "2"])).unwrap();
        assert_eq!(last, shift("2"));
    }

    #[test]
    fn a_value_that_is_no_integer_is_named_in_the_error() {
        for value in ["", "three", "3.5", "0x10", "--3", "3-", "+", "1 2", "३"] {
            let error = Shift::from_environment(&environment(&[value])).unwrap_err();
            let text = error.to_string();
            assert!(text.contains("SHIFT_AMOUNT"), "{text}");
            assert!(text.contains(&format!("`{value}`")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn decrypting_takes_back_encrypting(message: String, amount: i64) {
            let shift = shift(&amount.to_string());
            prop_assert_eq!(shift.decrypt(shift.encrypt(message.clone())), message);
        }

        #[test]
        fn the_shift_is_the_amount_modulo_the_alphabet(amount: i64) {
            let Shift(places) = shift(&amount.to_string());
            prop_assert_eq!(i64::from(places), amount.rem_euclid(26));
        }

        #[test]
        fn the_length_never_changes(message: String, amount: i32) {
            let length = message.len();
            prop_assert_eq!(shift(&amount.to_string()).encrypt(message).len(), length);
        }
    }
}
