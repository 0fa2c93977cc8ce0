//! Authentication of operators by a token.

use std::io;
use std::path::Path;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use permissions::read_secret;
use sha2::{Digest, Sha256};

/// Minimum length of a token, in bytes.
const MIN_BYTES: usize = 16;

/// Maximum size of a token file, in bytes.
pub const MAX_TOKEN_BYTES: u64 = 4096;

/// The SHA-256 of the token: comparing digests leaks nothing about the token.
pub struct Token([u8; 32]);

/// Errors of reading a token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("cannot read `{path}` of --admin-token: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// The reason.
        source: io::Error,
    },
    /// The file does not contain a valid token.
    #[error(
        "invalid token in `{0}` of --admin-token: expected one line of at least {MIN_BYTES} printable \
         ASCII characters, such as of `openssl rand -hex 32`"
    )]
    Bad(String),
}

impl Token {
    /// Reads the token in a file, without the line feed at its end.
    ///
    /// # Errors
    ///
    /// Fails if the token has less than 16 bytes, or if other users may read or write the file.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let shown = || path.display().to_string();
        let text = read_secret(path, MAX_TOKEN_BYTES);
        let text = text.map_err(|source| TokenError::Unreadable {
            path: shown(),
            source,
        })?;
        let token = text.trim_ascii_end();
        if token.len() < MIN_BYTES || !token.iter().all(u8::is_ascii_graphic) {
            return Err(TokenError::Bad(shown()));
        }
        Ok(Self(Sha256::digest(token).into()))
    }

    /// Whether a request has the token, as `authorization: Bearer TOKEN`. The comparison takes
    /// constant time.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let value = given.next().map_or(&b""[..], |value| value.as_bytes());
        let (scheme, token) = value.split_at(value.len().min(7));
        let found: [u8; 32] = Sha256::digest(token.trim_ascii()).into();
        let differing = self
            .0
            .iter()
            .zip(found)
            .fold(0, |all, (a, b)| all | (a ^ b));
        let is_bearer = scheme.eq_ignore_ascii_case(b"bearer ");
        differing == 0 && is_bearer && given.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn token(text: &str) -> Result<Token, TokenError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Token::read(file.path())
    }

    #[test]
    fn authorization_must_have_exactly_the_token() {
        let token = token(&format!("{TOKEN}\n")).unwrap();
        let is_in = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            token.is_in(&headers)
        };
        let good = format!("Bearer {TOKEN}");
        assert!(is_in(&[&good]));
        assert!(is_in(&[&format!("bearer  {TOKEN}")]));
        assert!(!is_in(&[]));
        assert!(!is_in(&[&good, &good]));
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            TOKEN,
            "Basic 0123456789abcdef",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
        ] {
            assert!(!is_in(&[bad]), "{bad}");
        }
    }

    #[test]
    fn token_must_be_one_word_of_16_bytes_or_more() {
        for bad in ["", "short", "0123456789 abcdef", "0123456789abcdef\nmore"] {
            assert!(token(bad).is_err(), "{bad}");
        }
    }
}
