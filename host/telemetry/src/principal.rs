//! The user that an authenticating proxy names in the header of `--principal-header`.

use http::HeaderMap;
use http::header::HeaderName;

/// The longest name of a principal, in bytes.
const MAX_BYTES: usize = 1024;

/// The header does not name one principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidPrincipal {
    /// The request has the header several times. Which field is the proxy's and which the
    /// client's cannot be told: some proxies append their field, others prepend it.
    Repeated,
    /// The value is not a name: not UTF-8, longer than [`MAX_BYTES`], or with control
    /// characters or space at either end.
    Unreadable,
}

impl InvalidPrincipal {
    /// The detail of the response.
    #[must_use]
    pub fn detail(self) -> &'static str {
        match self {
            Self::Repeated => "the header that names the principal occurs several times",
            Self::Unreadable => {
                "the header that names the principal is not a name: up to 1024 bytes of UTF-8 \
                 without control characters"
            }
        }
    }
}

/// The principal that `headers` name in the field `name`. An empty field is that of a proxy
/// that authenticated no user. A list with commas is one name, because a name may contain
/// commas.
///
/// # Errors
///
/// Fails if the field occurs several times, whatever the values, or is not a name: the
/// record of a request must not name one of two principals, nor a part of one.
pub(crate) fn of<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, InvalidPrincipal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(InvalidPrincipal::Repeated);
    }
    if value.is_empty() {
        return Ok(None);
    }
    let name = str::from_utf8(value.as_bytes()).map_err(|_| InvalidPrincipal::Unreadable)?;
    let is_name =
        name.len() <= MAX_BYTES && name.trim() == name && !name.chars().any(char::is_control);
    if is_name {
        Ok(Some(name))
    } else {
        Err(InvalidPrincipal::Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const USER: HeaderName = HeaderName::from_static("x-user");

    /// What the fields `x-user` with these values name.
    fn principal(values: &[&[u8]]) -> Result<Option<String>, InvalidPrincipal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(USER, HeaderValue::from_bytes(value).unwrap());
        }
        of(&headers, &USER).map(|name| name.map(ToOwned::to_owned))
    }

    #[test]
    fn one_field_of_utf8_is_the_principal() {
        for name in ["alice", "Jürgen", "CN=Alice, O=Example", "alice, bob"] {
            assert_eq!(principal(&[name.as_bytes()]), Ok(Some(name.to_owned())));
        }
        let long = "x".repeat(MAX_BYTES);
        assert_eq!(principal(&[long.as_bytes()]), Ok(Some(long)));
    }

    #[test]
    fn no_field_or_an_empty_one_is_no_principal() {
        assert_eq!(principal(&[]), Ok(None));
        assert_eq!(principal(&[b""]), Ok(None));
    }

    #[test]
    fn several_fields_are_refused_also_if_one_is_empty_or_all_are_equal() {
        for values in [
            [&b"mallory"[..], b"alice"],
            [b"", b"alice"],
            [b"alice", b""],
            [b"alice", b"alice"],
            [b"", b""],
        ] {
            assert_eq!(principal(&values), Err(InvalidPrincipal::Repeated));
        }
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
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
