//! To whom a request goes: scheme, host and port, in one form for each origin.

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

/// The origin that a request of a guest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) host: Host,
    pub(super) port: u16,
}

/// Why a text is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// There is no scheme.
    #[error("expected scheme and host, such as https://api.example:443")]
    NoScheme,
    /// The scheme is another one.
    #[error("the scheme is `{0}`; expected `http` or `https`")]
    Scheme(String),
    /// There is a user, and perhaps a password.
    #[error("an origin has no user and no password; remove what is before the `@`")]
    User,
    /// Something follows the port.
    #[error("an origin ends with its host or its port; remove `{0}`")]
    Path(String),
    /// There is no such port.
    #[error("`{0}` is not a port; expected a number from 1 to 65535")]
    Port(String),
    /// An address of IPv4 in the clothes of IPv6.
    #[error("`{0}` stands for an IPv4 address; write it as `{1}`")]
    Mapped(Ipv6Addr, Ipv4Addr),
    /// It names no host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A `*` stands where none may.
    #[error(
        "`{0}` has a `*` in another place than before its first dot, as in https://*.example.com"
    )]
    Wildcard(String),
    /// A `*` stands for too much.
    #[error(
        "`{0}` names all of a top-level domain; name at least one more label, as in https://*.example.com"
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
    /// The origin of an absolute URL. The rest of the URL does not matter.
    ///
    /// # Errors
    ///
    /// Fails if the URL names no host, or a user, or something that different readers
    /// could take for different hosts.
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

    /// What the field `host` of a request has: the port only where it is not the one
    /// that the scheme stands for.
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

/// Takes an origin apart: what it has of a scheme, a host that is not looked at yet,
/// and its port, or that of the scheme.
pub(super) fn split<'a>(
    scheme: &str,
    authority: &'a str,
) -> Result<(Scheme, &'a str, u16), OriginError> {
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err(OriginError::Scheme(scheme.to_owned())),
    };
    // Some readers take a backslash for a slash.
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
    // Of two colons the last may be that of a port, or part of an address.
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
    fn an_origin_has_one_form() {
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
    fn a_url_that_readers_could_take_for_different_ones_has_no_origin() {
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
    fn the_field_host_has_the_port_if_it_is_not_that_of_the_scheme() {
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
