//! Host names of the admin listener.
//!
//! A web page can make the browser of an operator send requests to a listener on loopback: with a
//! name that resolves to 127.0.0.1 (DNS rebinding), or from its own origin (cross-site request
//! forgery). The fields `Host` and `Origin` reveal both.

use http::header::{HOST, HeaderValue, ORIGIN};
use http::uri::Authority;
use http::{Request, StatusCode, Version};
use http1_strict::Host;

/// Host names that requests to the admin listener may have.
#[derive(Debug, Default)]
pub struct AllowedHosts {
    /// Whether any name is allowed: browsers cannot connect to a Unix socket.
    pub any: bool,
    /// Names in addition to those of loopback, in lower case.
    pub names: Vec<String>,
}

/// The response to a request with a foreign name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HostRejection {
    pub(super) status: StatusCode,
    pub(super) detail: &'static str,
}

const BAD_HOST: HostRejection = HostRejection {
    status: StatusCode::BAD_REQUEST,
    detail: "expected exactly one Host field, with a host name and an optional port",
};

const FOREIGN_HOST: HostRejection = HostRejection {
    status: StatusCode::FORBIDDEN,
    detail: "unknown name in Host; use 127.0.0.1, [::1] or localhost, or allow the name with \
             `--ops-host`",
};

const FOREIGN_ORIGIN: HostRejection = HostRejection {
    status: StatusCode::FORBIDDEN,
    detail: "the request comes from a web page of another origin",
};

impl AllowedHosts {
    /// Checks that a request is addressed to this listener, and does not come from a web page
    /// of another origin.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), HostRejection> {
        let host = match host(request) {
            // HTTP/1.0 does not require the field, and browsers always send it.
            Ok(None) if request.version() < Version::HTTP_11 => None,
            Ok(Some(host)) => Some(host),
            Ok(None) | Err(()) => return Err(BAD_HOST),
        };
        let target = request.uri().authority();
        let named = host.iter().chain(target);
        if named.clone().any(|name| !self.is_own(name)) {
            return Err(FOREIGN_HOST);
        }
        for origin in request.headers().get_all(ORIGIN) {
            let Some(origin) = authority_of(origin) else {
                return Err(FOREIGN_ORIGIN);
            };
            let is_same = named.clone().any(|name| *name == origin);
            if !is_same && !self.is_listed(&origin) {
                return Err(FOREIGN_ORIGIN);
            }
        }
        Ok(())
    }

    fn is_own(&self, authority: &Authority) -> bool {
        self.any || is_loopback(authority.host()) || self.is_listed(authority)
    }

    fn is_listed(&self, authority: &Authority) -> bool {
        let Ok(host) = Host::parse(authority.host()) else {
            return false;
        };
        let is_same = |name: &String| Host::parse(name).is_ok_and(|name| name == host);
        self.names.iter().any(is_same)
    }
}

/// Parses a host name without a port.
///
/// # Errors
///
/// Fails with the expected format.
pub fn parse_host(text: &str) -> Result<String, &'static str> {
    let authority: Option<Authority> = text.parse().ok();
    match authority {
        Some(authority) if authority.host() == text => Ok(text.to_ascii_lowercase()),
        _ => Err("expected a host name without a port, such as ops.example"),
    }
}

/// The value of the only Host field.
fn host<B>(request: &Request<B>) -> Result<Option<Authority>, ()> {
    let mut fields = request.headers().get_all(HOST).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    let host = parse(field).filter(|_| fields.next().is_none());
    host.map(Some).ok_or(())
}

fn parse(field: &HeaderValue) -> Option<Authority> {
    let authority: Authority = field.to_str().ok()?.parse().ok()?;
    let has_login = authority.as_str().contains('@');
    (!has_login && !authority.host().is_empty()).then_some(authority)
}

/// The host and the port of an origin. None for `null`, an opaque origin.
fn authority_of(origin: &HeaderValue) -> Option<Authority> {
    let text = origin.to_str().ok()?;
    let authority = text.strip_prefix("http://");
    let authority = authority.or_else(|| text.strip_prefix("https://"))?;
    authority.parse().ok()
}

/// Whether a host is a loopback name or address.
fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        // RFC 6761: resolvers never look up these names.
        Ok(Host::Name(name)) => name == "localhost" || name.ends_with(".localhost"),
        Ok(Host::Ip(address)) => address.is_loopback(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        hosts: &AllowedHosts,
        target: &str,
        fields: &[(&str, &str)],
    ) -> Result<(), HostRejection> {
        let mut request = Request::get(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        hosts.check(&request.body(()).unwrap())
    }

    fn host(hosts: &AllowedHosts, host: &str) -> Result<(), HostRejection> {
        check(hosts, "/metrics", &[("host", host)])
    }

    fn with_name() -> AllowedHosts {
        AllowedHosts {
            any: false,
            names: vec!["ops.example".to_owned()],
        }
    }

    #[test]
    fn host_must_be_loopback_or_of_ops_host() {
        let loopback = AllowedHosts::default();
        for good in [
            "localhost",
            "LocalHost:9000",
            "localhost.:9000",
            "a.localhost",
            "127.0.0.1:9000",
            "127.9.9.9",
            "[::1]:9000",
        ] {
            assert_eq!(host(&loopback, good), Ok(()), "{good}");
        }
        for foreign in [
            "evil.example",
            "127.0.0.1.evil.example:9000",
            "localhost.evil.example",
            "192.0.2.1",
            "[2001:db8::1]",
            "ops.example",
        ] {
            assert_eq!(host(&loopback, foreign), Err(FOREIGN_HOST), "{foreign}");
        }
        for bad in ["", ":9000", "a b", "x@localhost", "localhost,evil.example"] {
            assert!(host(&loopback, bad).is_err(), "{bad}");
        }
        assert_eq!(host(&with_name(), "OPS.example:443"), Ok(()));
        assert_eq!(host(&with_name(), "ops.example."), Ok(()));
        assert_eq!(host(&with_name(), "127.0.0.1"), Ok(()));
        assert_eq!(host(&with_name(), "a.ops.example"), Err(FOREIGN_HOST));
        let any = AllowedHosts {
            any: true,
            ..AllowedHosts::default()
        };
        assert_eq!(host(&any, "evil.example"), Ok(()));
    }

    #[test]
    fn duplicate_host_and_foreign_target_are_rejected() {
        let hosts = AllowedHosts::default();
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(check(&hosts, "/", &two), Err(BAD_HOST));
        let local = [("host", "localhost")];
        let target = "http://evil.example/metrics";
        assert_eq!(check(&hosts, target, &local), Err(FOREIGN_HOST));
        assert_eq!(check(&hosts, "/", &[]), Err(BAD_HOST));
        let old = Request::get("/").version(Version::HTTP_10).body(());
        assert_eq!(hosts.check(&old.unwrap()), Ok(()));
    }

    #[test]
    fn origin_must_be_that_of_host_or_of_ops_host() {
        let origin = |hosts: &AllowedHosts, origin: &str| {
            let fields = [("host", "127.0.0.1:9000"), ("origin", origin)];
            check(hosts, "/v1/functions", &fields)
        };
        let hosts = with_name();
        for good in ["http://127.0.0.1:9000", "https://ops.example"] {
            assert_eq!(origin(&hosts, good), Ok(()), "{good}");
        }
        for foreign in [
            "null",
            "",
            "http://evil.example",
            "http://127.0.0.1:3000",
            "http://localhost:9000",
            "file://127.0.0.1:9000",
        ] {
            assert_eq!(origin(&hosts, foreign), Err(FOREIGN_ORIGIN), "{foreign}");
        }
    }

    #[test]
    fn ops_host_has_no_port() {
        assert_eq!(parse_host("Ops.Example"), Ok("ops.example".to_owned()));
        assert_eq!(parse_host("[2001:db8::1]"), Ok("[2001:db8::1]".to_owned()));
        for bad in ["", "ops.example:9000", "http://ops.example", "a@b", "a/b"] {
            assert!(parse_host(bad).is_err(), "{bad}");
        }
    }
}
