//! The router: functions by host and path prefix.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Uri};
use http1_strict::Host;

/// The route of a function: `/prefix`, `host/prefix` or `host`.
///
/// A host is compared without regard to case, port, a trailing dot and the spelling of an
/// address. A prefix ends at the end of a path segment: `/app` is a prefix of `/app/x`, but not of
/// `/apple`. It is compared verbatim, without percent-decoding.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route {
    /// None: any host.
    host: Option<Host>,
    /// Empty, or segments with a leading `/` each.
    prefix: Box<str>,
}

/// Maximum length of a route, in bytes.
const MAX_ROUTE_BYTES: usize = 512;

impl Route {
    /// The route of a function in a folder: `/NAME` on any host.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        Self {
            host: None,
            prefix: format!("/{name}").into(),
        }
    }

    /// The route of all requests.
    #[must_use]
    pub fn root() -> Self {
        Self {
            host: None,
            prefix: "".into(),
        }
    }

    /// The path prefix that is removed before the guest sees a request, such as `/app`, or empty.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for Route {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        if text.is_empty() || text.len() > MAX_ROUTE_BYTES {
            return Err(
                "expected `/prefix`, `host/prefix` or `host`, such as `/app`, of at most \
                        512 bytes"
                    .to_owned(),
            );
        }
        let host = match host {
            "" => None,
            name if name.contains(':') && !name.ends_with(']') => {
                return Err(format!(
                    "`{name}` is not a host without a port; write an IPv6 address in brackets"
                ));
            }
            name => Some(Host::parse(name).map_err(|error| error.to_string())?),
        };
        let prefix = path.strip_suffix('/').unwrap_or(path);
        let is_of_path = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\');
        let is_segment =
            |segment: &str| !matches!(segment, "" | "." | "..") && segment.chars().all(is_of_path);
        if !prefix.split('/').skip(1).all(is_segment) {
            return Err(format!(
                "`{path}` is not a path prefix: expected segments that are neither empty nor `.` nor \
                 `..`, without `?`, `#`, spaces and characters outside ASCII"
            ));
        }
        Ok(Self {
            host,
            prefix: prefix.into(),
        })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            host.fmt(f)?;
        }
        let is_root = self.prefix.is_empty();
        f.write_str(if is_root { "/" } else { &self.prefix })
    }
}

/// The router. A route with a host takes precedence over those without, and the longest prefix
/// over shorter ones.
#[derive(Debug, Default)]
pub struct Routes {
    /// Empty where no route has a host.
    hosts: HashMap<Host, Prefixes>,
    any_host: Prefixes,
}

/// The prefixes of one host, each with the number of its function.
#[derive(Debug, Default)]
struct Prefixes {
    numbers: HashMap<Box<str>, usize>,
    /// Length of the longest prefix, in bytes.
    longest: usize,
}

impl Routes {
    /// Adds a route. For a duplicate, returns the number of its function and changes nothing.
    pub fn add(&mut self, route: &Route, number: usize) -> Option<usize> {
        let prefixes = match &route.host {
            Some(host) => self.hosts.entry(host.clone()).or_default(),
            None => &mut self.any_host,
        };
        if let Some(&other) = prefixes.numbers.get(&route.prefix) {
            return Some(other);
        }
        prefixes.numbers.insert(route.prefix.clone(), number);
        prefixes.longest = prefixes.longest.max(route.prefix.len());
        None
    }

    /// The number of the function for a request.
    pub fn find<B>(&self, request: &Request<B>) -> Option<usize> {
        let path = request.uri().path();
        let of_host = || self.hosts.get(&host(request)?)?.find(path);
        let found = if self.hosts.is_empty() {
            None
        } else {
            of_host()
        };
        found.or_else(|| self.any_host.find(path))
    }
}

impl Prefixes {
    fn find(&self, path: &str) -> Option<usize> {
        // From the longest possible prefix to the shortest, segment by segment.
        let ends_here = |end: usize| matches!(path.as_bytes().get(end), None | Some(b'/'));
        let mut end = self.longest.min(path.len());
        loop {
            // The path is ASCII; any other request is rejected anyway.
            let prefix = path.get(..end)?;
            if ends_here(end)
                && let Some(&number) = self.numbers.get(prefix)
            {
                return Some(number);
            }
            end = prefix.rfind('/')?;
        }
    }
}

/// The host of a request.
fn host<B>(request: &Request<B>) -> Option<Host> {
    let named = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => request.headers().get(HOST)?.to_str().ok()?,
    };
    Host::of_authority(named)
}

/// `uri` without the path prefix `prefix`: `/app/x?q` without `/app` is
/// `/x?q`, and `/app?q` is `/?q`. None if the rest is not a URI.
pub fn without_prefix(uri: &Uri, prefix: &str) -> Option<Uri> {
    let target = uri.path_and_query()?.as_str().strip_prefix(prefix)?;
    let target = if target.starts_with('/') {
        target.parse::<PathAndQuery>()
    } else {
        format!("/{target}").parse()
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.ok()?);
    Uri::from_parts(parts).ok()
}

/// The prefix as a header value.
pub(crate) fn header(route: &Route) -> Option<HeaderValue> {
    let prefix = route.prefix();
    let value = (!prefix.is_empty()).then(|| HeaderValue::from_str(prefix).ok());
    value.flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(text: &str) -> Route {
        text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    fn routes(all: &[&str]) -> Routes {
        let mut routes = Routes::default();
        for (number, text) in all.iter().enumerate() {
            assert_eq!(routes.add(&route(text), number), None, "{text}");
        }
        routes
    }

    fn find(routes: &Routes, host: &str, path: &str) -> Option<usize> {
        let request = Request::builder().uri(path).header(HOST, host);
        routes.find(&request.body(()).unwrap())
    }

    #[test]
    fn longest_prefix_that_ends_at_a_segment_wins() {
        let routes = routes(&["/app", "/app/deep/er", "/b"]);
        for (path, expected) in [
            ("/app", Some(0)),
            ("/app/", Some(0)),
            ("/app?x=/b", Some(0)),
            ("/app/deep", Some(0)),
            ("/app/deep/er", Some(1)),
            ("/app/deep/er/x/y/z", Some(1)),
            ("/app/deep/error", Some(0)),
            ("/b/app", Some(2)),
            ("/apple", None),
            ("/ap", None),
            ("/", None),
            ("/APP", None),
            ("//app", None),
        ] {
            assert_eq!(find(&routes, "x", path), expected, "{path}");
        }
    }

    #[test]
    fn route_with_a_host_takes_precedence() {
        let routes = routes(&["/", "/app/longer", "a.example/app", "[::1]"]);
        for (host, path, expected) in [
            ("b.example", "/app", Some(0)),
            ("b.example", "/app/longer", Some(1)),
            ("a.example", "/app/longer", Some(2)),
            ("A.Example:8080", "/app", Some(2)),
            ("a.example", "/", Some(0)),
            ("[::1]:80", "/app", Some(3)),
            ("", "/app", Some(0)),
        ] {
            assert_eq!(find(&routes, host, path), expected, "{host}{path}");
        }
        let request = Request::builder().uri("http://a.example:80/app");
        assert_eq!(routes.find(&request.body(()).unwrap()), Some(2));
    }

    #[test]
    fn duplicate_route_is_found_in_every_spelling() {
        let mut routes = routes(&["/a", "H.example"]);
        assert_eq!(routes.add(&route("/a/"), 7), Some(0));
        assert_eq!(routes.add(&route("h.example/"), 7), Some(1));
        assert_eq!(find(&routes, "x", "/a"), Some(0));
    }

    #[test]
    fn invalid_path_prefix_is_not_a_route() {
        for bad in [
            "", "app x/", "/a//b", "/a/../b", "/./a", "/a?b", "/a#b", "/ä", "//", "h:80/a", "/a b",
            "/a\\b",
        ] {
            assert!(bad.parse::<Route>().is_err(), "{bad}");
        }
        for (good, shown) in [("/", "/"), ("/a/", "/a"), ("A.b", "a.b/"), ("a/b", "a/b")] {
            assert_eq!(route(good).to_string(), shown);
        }
    }

    #[test]
    fn without_prefix_gives_the_rest_of_the_path() {
        for (uri, prefix, rest) in [
            ("/app/x?q=1", "/app", "/x?q=1"),
            ("/app", "/app", "/"),
            ("/app/", "/app", "/"),
            ("/app?q", "/app", "/?q"),
            ("http://h/app/x", "/app", "http://h/x"),
            ("/app//x", "/app", "//x"),
        ] {
            let rest_of = without_prefix(&uri.parse().unwrap(), prefix).unwrap();
            assert_eq!(rest_of, rest, "{uri}");
        }
    }
}
