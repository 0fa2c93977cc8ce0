//! The normal form of the host of a URI, for routes, requests of clients and requests of guests: a
//! name or an address (RFC 3986, section 3.2.2).

use std::fmt;
use std::net::IpAddr;

/// The longest name of DNS, in bytes.
const MAX_NAME_BYTES: usize = 253;
/// The longest label of a name of DNS, in bytes.
const MAX_LABEL_BYTES: usize = 63;

/// A text that is not a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// An IPv6 address without brackets.
    #[error(
        "`{0}` contains several colons; write an IPv6 address in brackets, as in https://[2001:db8::1]:443"
    )]
    NoBrackets(String),
    /// Brackets without an IPv6 address in them.
    #[error("`{0}` is not an IPv6 address")]
    Ipv6(String),
    /// A number that some resolvers accept as an IPv4 address.
    #[error("`{0}` is not an IPv4 address of four decimal numbers")]
    Ipv4(String),
    /// A name that is not ASCII.
    #[error("`{0}` is not ASCII; write the name in its DNS form, with `xn--`")]
    NotAscii(String),
    /// A name that DNS does not allow.
    #[error("`{0}` is not a host name")]
    Name(String),
}

/// The host of a URI.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A name in lower case, without a dot at its end.
    Name(String),
    /// An address. An IPv4-mapped IPv6 address differs from the IPv4 address.
    Ip(IpAddr),
}

impl Host {
    /// Parses the host of a URL.
    ///
    /// # Errors
    ///
    /// Fails if `text` is not a host, also for numbers that some resolvers accept as an address,
    /// such as `127.1` or `0x7f000001`.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if let Some(inner) = text.strip_prefix('[') {
            let address = inner.strip_suffix(']').and_then(|inner| inner.parse().ok());
            let address = address.ok_or_else(|| HostError::Ipv6(text.to_owned()))?;
            return Ok(Self::Ip(IpAddr::V6(address)));
        }
        if text.contains(':') {
            return Err(HostError::NoBrackets(text.to_owned()));
        }
        if !text.is_ascii() {
            return Err(HostError::NotAscii(text.to_owned()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if let Ok(address) = name.parse() {
            return Ok(Self::Ip(IpAddr::V4(address)));
        }
        if !name.split('.').all(is_label) || name.len() > MAX_NAME_BYTES {
            return Err(HostError::Name(text.to_owned()));
        }
        if ends_in_number(name) {
            return Err(HostError::Ipv4(text.to_owned()));
        }
        Ok(Self::Name(name.to_ascii_lowercase()))
    }

    /// The host of an authority such as `Api.example.:8080`, or None if it is neither a name nor an
    /// address. Letters and digits may be percent-encoded.
    #[must_use]
    pub fn of_authority(authority: &str) -> Option<Self> {
        let end = match authority.strip_prefix('[') {
            Some(address) => address.find(']').map(|end| end + 2),
            None => authority.find(':'),
        };
        let host = authority.get(..end.unwrap_or(authority.len()))?;
        if host.contains('%') {
            Self::parse(&decode(host)?).ok()
        } else {
            Self::parse(host).ok()
        }
    }
}

/// Decodes percent-encoded ASCII. Returns None for other bytes and for an invalid encoding, which the
/// crate `percent-encoding` would pass on.
fn decode(text: &str) -> Option<String> {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        let digits = after.get(..2)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok();
        let byte = byte.filter(|byte| is_hex && byte.is_ascii())?;
        decoded.push_str(before);
        decoded.push(char::from(byte));
        rest = &after[2..];
    }
    decoded.push_str(rest);
    Some(decoded)
}

fn is_label(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_LABEL_BYTES).contains(&label.len()) && label.bytes().all(is_allowed)
}

/// Whether URLs treat `name` as an IPv4 address
/// (<https://url.spec.whatwg.org/#ends-in-a-number-checker>).
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_decimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_hexadecimal =
        hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_decimal(last) || is_hexadecimal
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_above_253_bytes_or_with_a_label_above_63_bytes_is_rejected() {
        let label = "a".repeat(MAX_LABEL_BYTES);
        assert!(Host::parse(&format!("{label}.example")).is_ok());
        assert!(Host::parse(&format!("{label}a.example")).is_err());
        let name = [label.as_str(); 3].join(".");
        assert!(Host::parse(&format!("{name}.{}", "b".repeat(61))).is_ok());
        assert!(Host::parse(&format!("{name}.{}", "b".repeat(62))).is_err());
    }

    #[test]
    fn host_is_normalized() {
        for (authority, expected) in [
            ("api.example", "api.example"),
            ("API.Example.:8080", "api.example"),
            ("api.example.", "api.example"),
            ("%61pi.ex%41mple", "api.example"),
            ("[0:0:0:0:0:0:0:1]:80", "[::1]"),
            ("[::0001]", "[::1]"),
            ("127.0.0.1:", "127.0.0.1"),
        ] {
            let host = Host::of_authority(authority);
            let host = host.map(|host| host.to_string());
            assert_eq!(host.as_deref(), Some(expected), "{authority}");
        }
        for none in [
            "", ":80", "[::1", "[x]", "a..b", "a%2", "a%+1b", "%ff", "a%2fb", "127.1",
        ] {
            assert_eq!(Host::of_authority(none), None, "{none}");
        }
    }
}
