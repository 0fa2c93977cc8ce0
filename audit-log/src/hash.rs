//! Record hashes, and hexadecimal digits in records.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

/// The SHA-256 of a record, displayed as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The previous hash of the first record of a log: zeros.
    pub const GENESIS: Self = Self([0; 32]);

    /// The hash of the canonical bytes of a record: its text without the final line feed.
    #[must_use]
    pub fn of(record: &str) -> Self {
        Self(Sha256::digest(record).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(const_hex::Buffer::<32>::new().format(&self.0))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(const_hex::Buffer::<32>::new().format(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_hex(deserializer).map(Self)
    }
}

/// A text that is not the expected number of lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {} hexadecimal digits in lower case", bytes * 2)]
pub struct InvalidHex {
    bytes: usize,
}

impl FromStr for Hash {
    type Err = InvalidHex;

    fn from_str(text: &str) -> Result<Self, InvalidHex> {
        parse_hex(text).map(Self)
    }
}

/// Parses exactly `N` bytes. Rejects capitals and a prefix, which [`const_hex`] accepts, so that
/// each value has one form.
fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], InvalidHex> {
    let is_canonical = text.len() == 2 * N && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    let bytes = is_canonical.then(|| const_hex::decode_to_array(text).ok());
    bytes.flatten().ok_or(InvalidHex { bytes: N })
}

/// Deserializes `N` bytes from their hexadecimal digits.
pub(crate) fn deserialize_hex<'de, const N: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<[u8; N], D::Error> {
    struct Digits<const N: usize>;

    impl<const N: usize> de::Visitor<'_> for Digits<N> {
        type Value = [u8; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} hexadecimal digits in lower case", 2 * N)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; N], E> {
            parse_hex(text).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    deserializer.deserialize_str(Digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_equals_that_of_sha256sum() {
        // printf abc | sha256sum
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Hash::of("abc").to_string(), expected);
        assert_eq!(expected.parse(), Ok(Hash::of("abc")));
    }

    #[test]
    fn hash_with_capitals_or_another_length_is_rejected() {
        let text = Hash::of("abc").to_string();
        for other in [&text[1..], &text.to_uppercase(), &format!("{text}0"), ""] {
            assert!(other.parse::<Hash>().is_err(), "{other}");
        }
    }
}
