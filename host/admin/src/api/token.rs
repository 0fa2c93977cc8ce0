//! Who may deploy functions: whoever has the token.

use std::io;
use std::path::Path;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

use permissions::read_secret;

/// The shortest token, in bytes.
const MIN_BYTES: usize = 16;

/// The largest file of a token, in bytes.
pub const MAX_TOKEN_BYTES: u64 = 4096;

/// The digest of the token: that of a wrong one says nothing of how wrong it is.
pub struct Token([u8; 32]);

/// Why a file holds no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("cannot read `{path}`, which --admin-token names: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// The reason.
        source: io::Error,
    },
    /// What is in it is none.
    #[error(
        "`{0}`, which --admin-token names, holds no token: expected one line of at least {MIN_BYTES} \
         letters, digits and the like, such as `openssl rand -hex 32` makes"
    )]
    Bad(String),
}

impl Token {
    /// Reads the token in a file, without the line feed at its end.
    ///
    /// # Errors
    ///
    /// Fails if there is none of 16 bytes or more, or if other users may read or write it.
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

    /// Whether a request has it: `authorization: Bearer TOKEN`. That takes the same time
    /// whatever the request has instead.
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
    fn only_the_token_is_the_token() {
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
    fn a_token_is_long_and_one_word() {
        for bad in ["", "short", "0123456789 abcdef", "0123456789abcdef\nmore"] {
            assert!(token(bad).is_err(), "{bad}");
        }
    }
}
