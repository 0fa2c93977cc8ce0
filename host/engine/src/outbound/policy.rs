//! Policy of outbound requests: the allowlist of origins.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http1_strict::{Host, HostError};

use super::origin::{self, Origin, OriginError, Scheme};

/// An allowed origin, or all subdomains of one.
///
/// ```
/// use engine::outbound::AllowedOrigin;
///
/// let origin: AllowedOrigin = "https://*.example.com".parse()?;
/// assert_eq!(origin.to_string(), "https://*.example.com:443");
/// # Ok::<(), engine::outbound::OriginError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigin {
    scheme: Scheme,
    host: Pattern,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Exact(Host),
    /// Any name of one or more labels before this domain.
    Subdomains(String),
}

/// The allowed origins.
#[derive(Debug, Clone, Default)]
pub(super) struct Policy(Box<[AllowedOrigin]>);

impl Policy {
    pub(super) fn new(allowed: Vec<AllowedOrigin>) -> Self {
        Self(allowed.into())
    }

    /// Whether `origin` is allowed.
    pub(super) fn allows(&self, origin: &Origin) -> bool {
        self.0.iter().any(|allowed| allowed.matches(origin))
    }

    /// Whether any allowed origin is https.
    pub(super) fn has_https(&self) -> bool {
        self.0.iter().any(|origin| origin.scheme == Scheme::Https)
    }
}

impl AllowedOrigin {
    fn matches(&self, origin: &Origin) -> bool {
        let has_host = match (&self.host, &origin.host) {
            (Pattern::Exact(allowed), host) => allowed == host,
            (Pattern::Subdomains(parent), Host::Name(name)) => name
                .strip_suffix(parent.as_str())
                .is_some_and(|labels| labels.len() > 1 && labels.ends_with('.')),
            (Pattern::Subdomains(_), Host::Ip(_)) => false,
        };
        has_host && self.scheme == origin.scheme && self.port == origin.port
    }
}

impl FromStr for AllowedOrigin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, authority) = text.split_once("://").ok_or(OriginError::NoScheme)?;
        let (scheme, host, port) = origin::split(scheme, authority)?;
        let host = match host.strip_prefix("*.") {
            Some(parent) => Pattern::subdomains(parent)?,
            None => Pattern::exact(host)?,
        };
        Ok(Self { scheme, host, port })
    }
}

impl Pattern {
    fn exact(text: &str) -> Result<Self, OriginError> {
        if text.contains('*') {
            return Err(OriginError::Wildcard(text.to_owned()));
        }
        let host = Host::parse(text)?;
        if let Host::Ip(IpAddr::V6(address)) = host
            && let Some(mapped) = address.to_ipv4_mapped()
        {
            return Err(OriginError::Mapped(address, mapped));
        }
        Ok(Self::Exact(host))
    }

    fn subdomains(parent: &str) -> Result<Self, OriginError> {
        let pattern = || format!("*.{parent}");
        if parent.contains('*') {
            return Err(OriginError::Wildcard(pattern()));
        }
        match Host::parse(parent)? {
            Host::Name(name) if name.contains('.') => Ok(Self::Subdomains(name)),
            Host::Name(_) => Err(OriginError::TopLevel(pattern())),
            Host::Ip(_) => Err(HostError::Name(pattern()).into()),
        }
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        match &self.host {
            Pattern::Exact(host) => write!(f, "{host}")?,
            Pattern::Subdomains(parent) => write!(f, "*.{parent}")?,
        }
        write!(f, ":{}", self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(allowed: &str, url: &str) -> bool {
        let policy = Policy::new(vec![allowed.parse().expect(allowed)]);
        let url = url.parse().expect(url);
        Origin::of(&url).is_ok_and(|origin| policy.allows(&origin))
    }

    fn error(origin: &str) -> String {
        let parsed: Result<AllowedOrigin, _> = origin.parse();
        parsed.expect_err(origin).to_string()
    }

    #[test]
    fn every_origin_is_denied_by_default() {
        let origin = Origin::of(&"https://api.example".parse().unwrap()).unwrap();
        assert!(!Policy::default().allows(&origin));
    }

    #[test]
    fn allow_outbound_matches_an_origin_in_all_its_forms() {
        for (allowed, url) in [
            (
                "https://api.example:443",
                "https://api.example/a/path?query",
            ),
            ("https://api.example", "https://api.example:443"),
            ("HTTPS://API.Example", "https://api.EXAMPLE."),
            ("https://api.example.", "https://api.example"),
            ("http://api.example", "http://api.example:80"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/x"),
            ("http://[::1]:8080", "http://[0:0:0::1]:8080"),
            ("http://localhost:1", "http://localhost:1"),
        ] {
            assert!(allows(allowed, url), "{allowed} and {url}");
        }
    }

    #[test]
    fn allow_outbound_does_not_match_another_scheme_host_or_port() {
        for url in [
            "http://api.example",
            "http://api.example:443",
            "https://api.example:8443",
            "https://example",
            "https://www.api.example",
        ] {
            assert!(!allows("https://api.example", url), "{url}");
        }
    }

    #[test]
    fn allow_outbound_does_not_match_a_similar_origin() {
        for url in [
            "https://api.example.evil",
            "https://api.example.com.evil.example",
            "https://api-example.com",
            "https://xapi.example.com",
            "https://api.example.com@evil.example",
            "https://evil.example#@api.example.com",
            "https://evil.example?api.example.com",
            "https://user:password@api.example.com",
            "https://xn--pi-xmc.example.com",
        ] {
            assert!(!allows("https://api.example.com", url), "{url}");
        }
    }

    #[test]
    fn an_address_is_allowed_in_its_canonical_form_only() {
        for url in [
            "http://127.1",
            "http://0x7f.0.0.1",
            "http://2130706433",
            "http://[::ffff:127.0.0.1]",
            "http://[::127.0.0.1]",
            "http://localhost",
        ] {
            assert!(!allows("http://127.0.0.1", url), "{url}");
        }
    }

    #[test]
    fn a_star_stands_for_one_or_more_labels() {
        let allowed = "https://*.Example.com";
        for url in [
            "https://api.example.com",
            "https://a.b.c.EXAMPLE.com.",
            "https://api.example.com:443",
        ] {
            assert!(allows(allowed, url), "{url}");
        }
        for url in [
            "https://example.com",
            "https://evilexample.com",
            "https://.example.com",
            "https://api.example.com.evil",
            "https://api.example.com:8443",
            "http://api.example.com",
            "https://1.2.3.4",
        ] {
            assert!(!allows(allowed, url), "{url}");
        }
    }

    #[test]
    fn an_invalid_allow_outbound_is_rejected_with_the_reason() {
        for (origin, reason) in [
            ("api.example", "expected scheme and host"),
            ("", "expected scheme and host"),
            ("ftp://api.example", "`ftp`"),
            ("https://api.example/", "remove `/`"),
            ("https://api.example/v1", "remove `/v1`"),
            ("https://api.example?q=1", "remove `?q=1`"),
            ("https://api.example#top", "remove `#top`"),
            (
                "https://api.example\\@evil.example",
                "remove `\\@evil.example`",
            ),
            ("https://me@api.example", "user name"),
            ("https://me:secret@api.example", "user name"),
            ("https://api.example:", "`` is not a port"),
            ("https://api.example:0", "`0` is not a port"),
            ("https://api.example:+443", "`+443` is not a port"),
            ("https://api.example:65536", "`65536` is not a port"),
            ("https://", "`` is not a host name"),
            ("https://a b.example", "`a b.example` is not a host name"),
            ("https://api..example", "`api..example` is not a host name"),
            ("https://api.exa%6dple", "is not a host name"),
            ("https://münchen.example", "`xn--`"),
            ("https://127.1", "not an IPv4 address"),
            ("https://::1", "in brackets"),
            ("https://2001:db8::1:443", "in brackets"),
            ("https://[::1", "`[::1` is not an IPv6 address"),
            ("https://[fe80::1%25eth0]", "is not an IPv6 address"),
            ("https://[::1]x:443", "is not an IPv6 address"),
            ("http://[::ffff:10.0.0.1]", "write it as `10.0.0.1`"),
            ("https://*", "before its first dot"),
            ("https://api.*.example", "before its first dot"),
            ("https://*.*.example", "before its first dot"),
            ("https://a*.example.com", "before its first dot"),
            ("https://*.com", "top-level domain"),
            ("https://*.0.0.1", "not an IPv4 address"),
            ("https://*.1.2.3.4", "is not a host name"),
        ] {
            let error = error(origin);
            assert!(error.contains(reason), "{origin}: {error}");
        }
    }

    #[test]
    fn a_password_is_not_in_the_error() {
        assert!(!error("https://me:secret@api.example").contains("secret"));
    }
}
