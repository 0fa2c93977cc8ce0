//! Authorization by bearer token (RFC 6750): the token, and its comparison with a request.

use alloc::string::{String, ToString};
use core::fmt;
use core::hint::black_box;

use crate::problem::Problem;

/// The environment variable of the token.
const VARIABLE: &str = "BEARER_TOKEN";

/// Checks that the values of the `Authorization` header have the token that the environment
/// names.
///
/// # Errors
///
/// Returns 401 for any other values, and 500 if the environment has no token.
pub fn authorize(
    variables: &[(String, String)],
    authorization: &[impl AsRef<[u8]>],
) -> Result<(), Problem> {
    let token = Token::from_environment(variables)
        .map_err(|error| Problem::misconfigured(error.to_string()))?;
    if token.matches(authorization) {
        return Ok(());
    }
    let detail = "expected the header `Authorization: Bearer` with the right token";
    Err(Problem::unauthorized(detail.to_string()))
}

/// The token that a request must have. It is a secret, so it does not implement `Debug`.
struct Token {
    /// Not empty.
    bytes: String,
}

/// `BEARER_TOKEN` is not a token that a client can send.
#[derive(Debug, PartialEq, Eq)]
enum UnusableToken {
    Missing,
    Empty,
    Forbidden,
}

impl fmt::Display for UnusableToken {
    /// Describes the error without the value, which is a secret: the client can read the
    /// message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = match self {
            Self::Missing => "it is not set",
            Self::Empty => "it is empty",
            Self::Forbidden => "it has other characters than letters, digits and -._~+/=",
        };
        write!(
            f,
            "environment variable `{VARIABLE}` must hold a bearer token, and {found}"
        )
    }
}

impl Token {
    /// Reads the token from the environment. The last setting of a duplicate variable wins, as
    /// in a shell.
    fn from_environment(variables: &[(String, String)]) -> Result<Self, UnusableToken> {
        let set = variables.iter().rev().find(|(name, _)| name == VARIABLE);
        let (_, value) = set.ok_or(UnusableToken::Missing)?;
        if value.is_empty() {
            return Err(UnusableToken::Empty);
        }
        // The characters of a token in a header (RFC 6750, 2.1).
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !value.bytes().all(is_allowed) {
            return Err(UnusableToken::Forbidden);
        }
        Ok(Self {
            bytes: value.clone(),
        })
    }

    /// Whether the values of the `Authorization` header are exactly this token.
    fn matches(&self, authorization: &[impl AsRef<[u8]>]) -> bool {
        const SCHEME: &[u8] = b"bearer ";

        let [value] = authorization else {
            return false;
        };
        let Some((scheme, found)) = value.as_ref().split_at_checked(SCHEME.len()) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(SCHEME) && self.is(found.trim_ascii())
    }

    /// Compares in time that depends only on the length of `found`, and not on the token: neither
    /// on its length nor on the number of equal bytes.
    fn is(&self, found: &[u8]) -> bool {
        let expected = self.bytes.as_bytes();
        let mut difference = u8::from(found.len() != expected.len());
        for (byte, expected) in found.iter().zip(expected.iter().cycle()) {
            // Without the box the compiler may stop at the first difference.
            difference = black_box(difference | (byte ^ expected));
        }
        difference == 0
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

    fn token(value: &str) -> Token {
        Token::from_environment(&environment(&[value]))
            .map_err(|error| error.to_string())
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn error(values: &[&str]) -> UnusableToken {
        match Token::from_environment(&environment(values)) {
            Ok(_) => panic!("{values:?} is a token"),
            Err(error) => error,
        }
    }

    #[test]
    fn the_bearer_token_is_accepted() {
        let token = token("mF_9.B5f-4.1JqM");
        assert!(token.matches(&["Bearer mF_9.B5f-4.1JqM"]));
        assert!(token.matches(&["bearer  mF_9.B5f-4.1JqM"]));
    }

    #[test]
    fn other_header_values_are_rejected() {
        let token = token("secret");
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "secret",
            "Basic secret",
            "Bearersecret",
            "Bearer Secret",
            "Bearer secre",
            "Bearer secrets",
            "Bearer secretsecret",
            "Bearer secret,secret",
            "Bearer \u{e9}",
            "é",
        ] {
            assert!(!token.matches(&[value]), "{value}");
        }
    }

    #[test]
    fn a_missing_or_duplicate_header_is_rejected() {
        let token = token("secret");
        assert!(!token.matches(&[""; 0]));
        assert!(!token.matches(&["Bearer secret", "Bearer secret"]));
    }

    #[test]
    fn bearer_token_with_invalid_characters_is_rejected() {
        assert_eq!(error(&[]), UnusableToken::Missing);
        assert_eq!(error(&[""]), UnusableToken::Empty);
        for value in [" ", "two words", "secret\n", "é"] {
            assert_eq!(error(&[value]), UnusableToken::Forbidden, "{value}");
        }
    }

    #[test]
    fn the_last_setting_of_bearer_token_wins() {
        let variables = environment(&["first", "second"]);
        let token = Token::from_environment(&variables).ok().unwrap();
        assert!(token.matches(&["Bearer second"]));
    }

    #[test]
    fn errors_name_bearer_token_and_not_its_value() {
        let text = error(&["hunter two"]).to_string();
        assert!(text.contains("`BEARER_TOKEN`"), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }

    #[test]
    fn a_wrong_token_is_401_and_a_missing_bearer_token_500() {
        let status = |values: &[&str], header: &str| {
            let result = authorize(&environment(values), &[header]);
            result.map_err(|problem| problem.status())
        };
        assert_eq!(status(&["secret"], "Bearer secret"), Ok(()));
        assert_eq!(status(&["secret"], "Bearer guess"), Err(401));
        assert_eq!(status(&[], "Bearer secret"), Err(500));
    }

    proptest! {
        #[test]
        fn a_header_matches_if_it_equals_the_token(
            expected in "[ab]{1,4}",
            found in "[ab]{0,8}",
        ) {
            let shown = token(&expected).matches(&[format!("Bearer {found}")]);
            prop_assert_eq!(shown, expected == found);
        }
    }
}
