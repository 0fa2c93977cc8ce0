//! The token, and whether a request has it.

use alloc::string::String;
use core::fmt;
use core::hint::black_box;

/// The environment variable that holds the token.
const VARIABLE: &str = "BEARER_TOKEN";

/// What a request has to show. It is a secret, so it cannot be printed.
pub(crate) struct Token {
    /// Not empty.
    bytes: String,
}

/// `BEARER_TOKEN` holds nothing that a client could send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UnusableToken {
    Missing,
    Empty,
    Forbidden,
}

impl fmt::Display for UnusableToken {
    /// Says what is wrong without the value, which is a secret, and which the
    /// client gets to read.
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
    /// Reads the token from the variables of an environment. Where it is set
    /// twice, the last one counts, as in a shell.
    pub(crate) fn from_environment(variables: &[(String, String)]) -> Result<Self, UnusableToken> {
        let set = variables.iter().rev().find(|(name, _)| name == VARIABLE);
        let (_, value) = set.ok_or(UnusableToken::Missing)?;
        if value.is_empty() {
            return Err(UnusableToken::Empty);
        }
        // What a header can carry and a client will not cut (RFC 6750, 2.1).
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !value.bytes().all(is_allowed) {
            return Err(UnusableToken::Forbidden);
        }
        Ok(Self {
            bytes: value.clone(),
        })
    }

    /// Whether the values of the `Authorization` header are this token and
    /// nothing else.
    pub(crate) fn is_shown_by(&self, authorization: &[impl AsRef<[u8]>]) -> bool {
        const SCHEME: &[u8] = b"bearer ";

        let [value] = authorization else {
            return false;
        };
        let Some((scheme, found)) = value.as_ref().split_at_checked(SCHEME.len()) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(SCHEME) && self.is(found.trim_ascii())
    }

    /// Compares in a time that depends on the length of what was found, and on
    /// nothing of the token: neither its length nor how much of it is right.
    fn is(&self, found: &[u8]) -> bool {
        let expected = self.bytes.as_bytes();
        let mut difference = u8::from(found.len() != expected.len());
        for (byte, expected) in found.iter().zip(expected.iter().cycle()) {
            // Without the box a compiler might stop at the first difference.
            difference = black_box(difference | (byte ^ expected));
        }
        difference == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
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
    fn the_token_is_shown_as_a_bearer() {
        let token = token("mF_9.B5f-4.1JqM");
        assert!(token.is_shown_by(&["Bearer mF_9.B5f-4.1JqM"]));
        assert!(token.is_shown_by(&["bearer  mF_9.B5f-4.1JqM"]));
    }

    #[test]
    fn everything_else_is_not_the_token() {
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
            assert!(!token.is_shown_by(&[value]), "{value}");
        }
    }

    #[test]
    fn no_header_or_two_of_them_are_not_the_token() {
        let token = token("secret");
        assert!(!token.is_shown_by(&[""; 0]));
        assert!(!token.is_shown_by(&["Bearer secret", "Bearer secret"]));
    }

    #[test]
    fn a_token_that_no_client_could_send_is_refused() {
        assert_eq!(error(&[]), UnusableToken::Missing);
        assert_eq!(error(&[""]), UnusableToken::Empty);
        for value in [" ", "two words", "secret\n", "é"] {
            assert_eq!(error(&[value]), UnusableToken::Forbidden, "{value}");
        }
    }

    #[test]
    fn the_last_setting_of_the_variable_counts() {
        let variables = environment(&["first", "second"]);
        let token = Token::from_environment(&variables).ok().unwrap();
        assert!(token.is_shown_by(&["Bearer second"]));
    }

    #[test]
    fn an_error_names_the_variable_and_not_the_secret() {
        let text = error(&["hunter two"]).to_string();
        assert!(text.contains("`BEARER_TOKEN`"), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }

    proptest! {
        #[test]
        fn a_text_is_the_token_where_it_is_equal(
            expected in "[ab]{1,4}",
            found in "[ab]{0,8}",
        ) {
            let shown = token(&expected).is_shown_by(&[format!("Bearer {found}")]);
            prop_assert_eq!(shown, expected == found);
        }
    }
}
