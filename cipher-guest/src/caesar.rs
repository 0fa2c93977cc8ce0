//! The Caesar cipher: each ASCII letter moves a fixed number of places through
//! the alphabet.

use alloc::string::{String, ToString};
use core::fmt;

/// The environment variable that holds the shift.
const VARIABLE: &str = "SHIFT_AMOUNT";

/// The shift where the environment names none, which is the one that Suetonius
/// reports of Caesar.
const DEFAULT: Shift = Shift(3);

/// Letters in the alphabet.
const LETTERS: u8 = 26;

/// How far encryption moves a letter: 0 to 25 places forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shift(u8);

/// `SHIFT_AMOUNT` holds something that is no integer.
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
    /// Reads the shift from the variables of an environment. Where one is set
    /// twice, the last one counts, as in a shell.
    pub(crate) fn from_environment(variables: &[(String, String)]) -> Result<Self, NotAnInteger> {
        match variables.iter().rev().find(|(name, _)| name == VARIABLE) {
            Some((_, value)) => Self::parse(value),
            None => Ok(DEFAULT),
        }
    }

    /// Parses any decimal integer, however long, and reduces it to one turn of
    /// the alphabet. White space around it is allowed.
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
        // 25 * 10 fits into a byte, 25 * 10 + 9 does not.
        let forward = Self(digits.iter().fold(0, |sum, digit| {
            (sum * 10 % LETTERS + (digit - b'0')) % LETTERS
        }));
        Ok(if negative { forward.inverse() } else { forward })
    }

    /// Moves every ASCII letter forward and keeps its case; everything else
    /// stays byte for byte.
    pub(crate) fn encrypt(self, message: String) -> String {
        let mut bytes = message.into_bytes();
        for byte in &mut bytes {
            *byte = self.move_letter(*byte);
        }
        String::from_utf8(bytes).expect("ASCII in place of ASCII keeps UTF-8 valid")
    }

    /// Takes back what [`encrypt`](Self::encrypt) did.
    pub(crate) fn decrypt(self, message: String) -> String {
        self.inverse().encrypt(message)
    }

    fn inverse(self) -> Self {
        Self((LETTERS - self.0) % LETTERS)
    }

    fn move_letter(self, byte: u8) -> u8 {
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
    fn an_unset_shift_is_three() {
        let shift = Shift::from_environment(&environment(&[])).unwrap();
        assert_eq!(shift.encrypt("hello world".into()), "khoor zruog");
    }

    #[test]
    fn letters_keep_their_case_and_wrap_at_the_end_of_the_alphabet() {
        assert_eq!(shift("3").encrypt("xyz XYZ".into()), "abc ABC");
    }

    #[test]
    fn what_is_no_ascii_letter_stays_as_it_is() {
        let text = "0123 .,;\n\t\0 äöü ß é 日本語 🦀 @[`{";
        assert_eq!(shift("7").encrypt(text.into()), text);
    }

    #[test]
    fn a_negative_shift_moves_backwards() {
        assert_eq!(shift("-3").encrypt("abc".into()), "xyz");
    }

    #[test]
    fn shifts_beyond_the_alphabet_wrap() {
        assert_eq!(shift("29"), shift("3"));
        assert_eq!(shift("-29"), shift("-3"));
        assert_eq!(shift("26"), shift("0"));
        assert_eq!(shift("-26"), shift("0"));
    }

    #[test]
    fn an_integer_of_any_length_is_a_shift() {
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
