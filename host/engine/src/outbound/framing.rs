//! Framing of bodies: Content-Length and Transfer-Encoding of outbound requests and their
//! responses.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request};
use wasmtime_wasi_http::Error;

use super::body::RequestBody;

/// Size limit of a transfer coding in an error, in bytes.
const MAX_CODING_BYTES: usize = 64;

/// Announces the body of a request where hyper does not: hyper treats a body of unknown length of
/// GET and HEAD as none, and sends no length for an empty body where servers expect one (RFC 9110,
/// section 8.6).
pub(super) async fn announce(request: &mut Request<RequestBody>) -> Result<(), Error> {
    /// Time for a guest that has opened a body of GET to write to it or close it.
    const OPEN: Duration = Duration::from_secs(1);

    if request.headers().contains_key(CONTENT_LENGTH) {
        return Ok(());
    }
    let expects_no_body = matches!(*request.method(), Method::GET | Method::HEAD);
    let expects_length = matches!(
        *request.method(),
        Method::POST | Method::PUT | Method::PATCH
    );
    let limit = if expects_no_body {
        OPEN
    } else {
        Duration::ZERO
    };
    let has_content = request.body_mut().has_content(limit).await?;
    if has_content && expects_no_body {
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert(TRANSFER_ENCODING, chunked);
    } else if !has_content && expects_length {
        let none = HeaderValue::from_static("0");
        request.headers_mut().insert(CONTENT_LENGTH, none);
    }
    Ok(())
}

/// The Content-Length of a request, if it has one.
pub(super) fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reduces the framing of a response to at most one length, that of the content that the guest
/// reads, so that the guest can forward both (RFC 9110, section 8.6; RFC 9112, section 6.3).
///
/// # Errors
///
/// Fails for transfer codings that are not decoded here, because the guest would misinterpret the
/// content.
pub(super) fn unify_length(headers: &mut HeaderMap) -> Result<(), Error> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter().peekable();
    if codings.peek().is_some() {
        let is_known = |coding: &HeaderValue| {
            [&b"chunked"[..], b"identity"]
                .iter()
                .any(|known| coding.as_bytes().eq_ignore_ascii_case(known))
        };
        if let Some(unknown) = codings.find(|coding| !is_known(coding)) {
            let name = unknown.to_str().ok();
            let name = name.filter(|name| name.len() <= MAX_CODING_BYTES);
            return Err(Error::HttpResponseTransferCoding(
                name.map(ToOwned::to_owned),
            ));
        }
        // Transfer-Encoding overrides Content-Length.
        headers.remove(CONTENT_LENGTH);
        return Ok(());
    }
    let fields: Vec<_> = headers.get_all(CONTENT_LENGTH).iter().collect();
    if fields.len() > 1 || fields.iter().any(|field| field.as_bytes().contains(&b',')) {
        match single_value(&fields) {
            Some(length) => headers.insert(CONTENT_LENGTH, length.into()),
            // Only a response without content gets here with different lengths.
            None => headers.remove(CONTENT_LENGTH),
        };
    }
    Ok(())
}

/// The number in these lists, if all are equal.
fn single_value(fields: &[&HeaderValue]) -> Option<u64> {
    let mut found = None;
    for field in fields {
        for length in field.to_str().ok()?.split(',') {
            let length: u64 = length.trim().parse().ok()?;
            if found.is_some_and(|found| found != length) {
                return None;
            }
            found = Some(length);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn lengths(fields: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = headers(fields);
        unify_length(&mut headers).expect("a known coding");
        let lengths = headers.get_all(CONTENT_LENGTH).iter();
        lengths
            .map(|length| length.to_str().expect("ASCII").to_owned())
            .collect()
    }

    #[test]
    fn a_response_has_at_most_one_content_length() {
        let length = "content-length";
        assert_eq!(lengths(&[(length, "2")]), ["2"]);
        assert_eq!(lengths(&[(length, "2"), (length, "2")]), ["2"]);
        assert_eq!(lengths(&[(length, "2, 2")]), ["2"]);
        assert!(lengths(&[(length, "2"), (length, "3")]).is_empty());
        assert!(lengths(&[(length, "2, x")]).is_empty());
        for coding in ["chunked", "Chunked", "identity"] {
            let fields = [(length, "2"), ("transfer-encoding", coding)];
            assert!(lengths(&fields).is_empty(), "{coding}");
        }
    }

    #[test]
    fn an_unknown_transfer_coding_of_a_response_is_an_error_with_its_name() {
        for coding in ["gzip", "gzip, chunked"] {
            let error = unify_length(&mut headers(&[("transfer-encoding", coding)]));
            assert!(
                matches!(&error, Err(Error::HttpResponseTransferCoding(Some(name))) if name == coding),
                "{error:?}"
            );
        }
    }
}
