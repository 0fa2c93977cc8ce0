//! The authenticated user, which a proxy sends in the header of `--principal-header`.

use http::HeaderMap;
use http::header::HeaderName;

/// Maximum length of a principal, in bytes.
const MAX_BYTES: usize = 1024;

/// The reason why the header is not a single valid principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidPrincipal {
    /// The request has several such fields. The server cannot tell the proxy's field from the
    /// client's: some proxies append their field, others prepend it.
    Duplicate,
    /// The value is not UTF-8, is longer than [`MAX_BYTES`], contains control characters, or has
    /// leading or trailing space.
    Unreadable,
}

impl InvalidPrincipal {
    /// The detail of the problem document.
    #[must_use]
    pub fn detail(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate principal header",
            Self::Unreadable => {
                "invalid principal header: expected up to 1024 bytes of UTF-8 without control \
                 characters or surrounding space"
            }
        }
    }
}

/// The principal in the field `name` of `headers`. An empty field means that the proxy
/// authenticated no user. A value with commas is one principal, because a principal may contain
/// commas.
///
/// # Errors
///
/// Fails if there are several such fields, even with equal values, or if the value is invalid: an
/// audit record must not hold one of two principals, nor a part of one.
pub(crate) fn of<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, InvalidPrincipal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(InvalidPrincipal::Duplicate);
    }
    if value.is_empty() {
        return Ok(None);
    }
    let principal = str::from_utf8(value.as_bytes()).map_err(|_| InvalidPrincipal::Unreadable)?;
    let is_valid = principal.len() <= MAX_BYTES
        && principal.trim() == principal
        && !principal.chars().any(char::is_control);
    if is_valid {
        Ok(Some(principal))
    } else {
        Err(InvalidPrincipal::Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const USER: HeaderName = HeaderName::from_static("x-user");

    /// The principal of a request with these `x-user` fields.
    fn principal(values: &[&[u8]]) -> Result<Option<String>, InvalidPrincipal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(USER, HeaderValue::from_bytes(value).unwrap());
        }
        of(&headers, &USER).map(|name| name.map(ToOwned::to_owned))
    }

    #[test]
    fn a_single_utf8_field_is_the_principal_also_with_commas() {
        for name in ["alice", "Jürgen", "CN=Alice, O=Example", "alice, bob"] {
            assert_eq!(principal(&[name.as_bytes()]), Ok(Some(name.to_owned())));
        }
        let long = "x".repeat(MAX_BYTES);
        assert_eq!(principal(&[long.as_bytes()]), Ok(Some(long)));
    }

    #[test]
    fn a_missing_or_empty_field_means_no_principal() {
        assert_eq!(principal(&[]), Ok(None));
        assert_eq!(principal(&[b""]), Ok(None));
    }

    #[test]
    fn duplicate_fields_are_rejected_also_if_empty_or_equal() {
        for values in [
            [&b"mallory"[..], b"alice"],
            [b"", b"alice"],
            [b"alice", b""],
            [b"alice", b"alice"],
            [b"", b""],
        ] {
            assert_eq!(principal(&values), Err(InvalidPrincipal::Duplicate));
        }
    }

    #[test]
    fn long_non_utf8_control_and_padded_values_are_rejected() {
        let long = vec![b'x'; MAX_BYTES + 1];
        for value in [
            &b"J\xfcrgen"[..],
            b"ali\xc3",
            b"ali\tce",
            b" alice",
            b"alice ",
            b" ",
            "ali\u{85}ce".as_bytes(),
            &long,
        ] {
            assert_eq!(principal(&[value]), Err(InvalidPrincipal::Unreadable));
        }
    }
}
