//! Checks of heads that `h2` does not make.

use http::header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http1_strict::{Violation, is_host};

use crate::settings::ConnectionLimits;

/// Joins the fields `cookie`, which HTTP/2 clients may split, into one (RFC 9113, section 8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    let pieces = headers.get_all(COOKIE);
    // Fields with whitespace around their value are rejected later, unchanged.
    if pieces.iter().count() < 2 || pieces.iter().any(is_padded) {
        return;
    }
    let pieces: Vec<_> = pieces.iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&pieces.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Checks the head of a request as the strict reader does for HTTP/1.1 (RFC 9113, section 8).
pub(crate) fn check_head<B>(
    request: &Request<B>,
    limits: &ConnectionLimits,
) -> Result<(), Violation> {
    let (uri, headers) = (request.uri(), request.headers());
    if request.method() == Method::CONNECT {
        return Err(Violation::NotImplemented("CONNECT is not supported"));
    }
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    if target.len() > limits.max_target_bytes {
        return Err(Violation::TargetTooLong);
    }
    let has_form =
        target.starts_with('/') || (target == "*" && request.method() == Method::OPTIONS);
    if !has_form || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Violation::Malformed("invalid request target"));
    }
    // Without an authority, `h2` does not report the scheme.
    if uri.authority().is_some() && !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(Violation::Malformed("invalid scheme"));
    }
    check_host(uri, headers)?;
    check_fields(headers, limits)
}

/// A request names its host once, or twice with the same value.
fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Violation> {
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let mut named = authority
        .into_iter()
        .chain(headers.get_all(HOST).iter().map(HeaderValue::as_bytes));
    let first = named.next().ok_or(Violation::Malformed("missing host"))?;
    let is_same = |other: &[u8]| other.eq_ignore_ascii_case(first);
    if is_host(first) && named.all(is_same) && headers.get_all(HOST).iter().count() < 2 {
        Ok(())
    } else {
        Err(Violation::Malformed("invalid host"))
    }
}

fn check_fields(headers: &HeaderMap, limits: &ConnectionLimits) -> Result<(), Violation> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if headers.len() > limits.max_headers.get() || bytes > limits.max_header_bytes {
        return Err(Violation::HeadTooLarge);
    }
    if headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        return Err(Violation::Malformed("duplicate content-length header"));
    }
    let is_known = |value: &[u8]| value.eq_ignore_ascii_case(b"100-continue");
    if headers
        .get_all(EXPECT)
        .iter()
        .any(|value| !is_known(value.as_bytes()))
    {
        return Err(Violation::Expectation);
    }
    if headers.values().any(is_padded) {
        return Err(Violation::Malformed("invalid value of a header field"));
    }
    Ok(())
}

/// Whether a value has whitespace around it.
fn is_padded(value: &HeaderValue) -> bool {
    value.as_bytes().trim_ascii().len() < value.len()
}
