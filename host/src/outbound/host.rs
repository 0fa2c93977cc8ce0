//! The host of an origin: a name or an address, and never something in between.

use std::fmt;
use std::net::IpAddr;

use super::origin::OriginError;

/// The longest name that DNS has, and the longest label of one, in bytes.
const MAX_NAME_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// The host of an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// A name in lower case, without the dot that its end may have.
    Name(String),
    /// An address. One of IPv6 that stands for one of IPv4 is another host than that.
    Ip(IpAddr),
}

impl Host {
    /// Parses a host as URLs have it. What some resolver would take for an address
    /// without this function doing so, such as `127.1` or `0x7f000001`, is an error.
    pub(super) fn parse(text: &str) -> Result<Self, OriginError> {
        if let Some(inner) = text.strip_prefix('[') {
            let address = inner.strip_suffix(']').and_then(|inner| inner.parse().ok());
            let address = address.ok_or_else(|| OriginError::Ipv6(text.to_owned()))?;
            return Ok(Self::Ip(IpAddr::V6(address)));
        }
        if text.contains(':') {
            return Err(OriginError::NoBrackets(text.to_owned()));
        }
        if !text.is_ascii() {
            return Err(OriginError::NotAscii(text.to_owned()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if let Ok(address) = name.parse() {
            return Ok(Self::Ip(IpAddr::V4(address)));
        }
        if !name.split('.').all(is_label) || name.len() > MAX_NAME_BYTES {
            return Err(OriginError::Name(text.to_owned()));
        }
        if ends_in_number(name) {
            return Err(OriginError::Ipv4(text.to_owned()));
        }
        Ok(Self::Name(name.to_ascii_lowercase()))
    }
}

fn is_label(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_LABEL_BYTES).contains(&label.len()) && label.bytes().all(is_allowed)
}

/// Whether URLs take this for an address of IPv4
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
    fn a_name_is_no_longer_than_dns_allows() {
        let label = "a".repeat(MAX_LABEL_BYTES);
        assert!(Host::parse(&format!("{label}.example")).is_ok());
        assert!(Host::parse(&format!("{label}a.example")).is_err());
        let name = [label.as_str(); 3].join(".");
        assert!(Host::parse(&format!("{name}.{}", "b".repeat(61))).is_ok());
        assert!(Host::parse(&format!("{name}.{}", "b".repeat(62))).is_err());
    }
}
