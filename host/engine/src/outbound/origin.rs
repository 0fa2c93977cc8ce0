//! Origin of a request: scheme, host and port, in canonical form.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;
use http1_strict::{Host, HostError};

/// The scheme of an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// The origin of an outbound request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) host: Host,
    pub(super) port: u16,
}

/// Why a text is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// The scheme is missing.
    #[error("expected scheme and host, such as https://api.example:443")]
    NoScheme,
    /// The scheme is neither http nor https.
    #[error("unknown scheme `{0}`; expected `http` or `https`")]
    Scheme(String),
    /// The origin contains a user name.
    #[error("an origin must not contain a user name or password; remove all before the `@`")]
    User,
    /// The origin has a path, query or fragment.
    #[error("an origin ends after its host or port; remove `{0}`")]
    Path(String),
    /// Invalid port.
    #[error("`{0}` is not a port; expected a number from 1 to 65535")]
    Port(String),
    /// An IPv4-mapped IPv6 address.
    #[error("`{0}` is an IPv4-mapped address; write it as `{1}`")]
    Mapped(Ipv6Addr, Ipv4Addr),
    /// Invalid host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A `*` is not the first label.
    #[error(
        "`{0}` has a `*` that is not its first label; a `*` may only stand before its first dot, as in https://*.example.com"
    )]
    Wildcard(String),
    /// A `*` matches a whole top-level domain.
    #[error(
        "`{0}` matches a whole top-level domain; add at least one more label, as in https://*.example.com"
    )]
    TopLevel(String),
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

impl Origin {
    /// The origin of an absolute URL. The rest of the URL is ignored.
    ///
    /// # Errors
    ///
    /// Fails if the URL has no host, or a user name, or an authority that parsers could interpret
    /// differently.
    pub(super) fn of(url: &Uri) -> Result<Self, OriginError> {
        let scheme = url.scheme_str().ok_or(OriginError::NoScheme)?;
        let authority = url.authority().ok_or(OriginError::NoScheme)?;
        let (scheme, host, port) = split(scheme, authority.as_str())?;
        let host = Host::parse(host)?;
        Ok(Self { scheme, host, port })
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The value of the header `host`: with the port only where it is not the default of the
    /// scheme.
    pub(super) fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// Splits an origin into scheme, unparsed host, and port or the default port of the scheme.
pub(super) fn split<'a>(
    scheme: &str,
    authority: &'a str,
) -> Result<(Scheme, &'a str, u16), OriginError> {
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err(OriginError::Scheme(scheme.to_owned())),
    };
    // Some parsers treat a backslash as a slash.
    if let Some(end) = authority.find(['/', '?', '#', '\\']) {
        return Err(OriginError::Path(authority[end..].to_owned()));
    }
    if authority.contains('@') {
        return Err(OriginError::User);
    }
    let host_end = if authority.starts_with('[') {
        let bracket = authority.find(']');
        bracket.ok_or_else(|| HostError::Ipv6(authority.to_owned()))? + 1
    } else {
        0
    };
    let Some(colon) = authority[host_end..].rfind(':') else {
        return Ok((scheme, authority, scheme.default_port()));
    };
    let (host, port) = authority.split_at(host_end + colon);
    // Ambiguous: the last colon may start a port, or be part of an IPv6 address.
    if host_end == 0 && host.contains(':') {
        return Err(HostError::NoBrackets(authority.to_owned()).into());
    }
    let port = &port[1..];
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let number = port.parse().ok().filter(|&number| is_number && number > 0);
    let number = number.ok_or_else(|| OriginError::Port(port.to_owned()))?;
    Ok((scheme, host, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Result<String, OriginError> {
        let url: Uri = url.parse().expect("a URL");
        Origin::of(&url).map(|origin| origin.to_string())
    }

    #[test]
    fn an_origin_has_a_canonical_form() {
        for (url, expected) in [
            ("https://api.example/a?b", "https://api.example:443"),
            ("HTTP://API.Example.:8080/", "http://api.example:8080"),
            ("http://127.0.0.1", "http://127.0.0.1:80"),
            ("https://[2001:DB8:0::1]:443", "https://[2001:db8::1]:443"),
            (
                "http://xn--mnchen-3ya.example",
                "http://xn--mnchen-3ya.example:80",
            ),
            ("http://my_service-1", "http://my_service-1:80"),
        ] {
            assert_eq!(origin(url).as_deref(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn an_ambiguous_url_has_no_origin() {
        for url in [
            "http://user@api.example",
            "http://api.example@evil.example",
            "http://user:password@api.example:80",
            "http://127.1",
            "http://2130706433",
            "http://0x7f000001",
            "http://0177.0.0.01",
            "http://127.0.0.0x1",
            "http://1.2.3.4.5",
            "http://a..example",
            "http://.example",
            "http://api.example..",
            "http://api.example:99999",
            "http://api.example:0",
            "http://api.example:",
            "ftp://api.example",
            "/path",
        ] {
            let error = origin(url).expect_err(url);
            assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn the_host_header_has_the_port_if_it_is_not_the_default() {
        for (url, expected) in [
            ("https://api.example:443", "api.example"),
            ("https://api.example:80", "api.example:80"),
            ("http://[::1]:80", "[::1]"),
            ("http://[::1]:443", "[::1]:443"),
        ] {
            let origin = Origin::of(&url.parse().expect("a URL")).expect(url);
            assert_eq!(origin.authority(), expected);
        }
    }
}
