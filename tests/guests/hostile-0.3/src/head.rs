//! Heads and trailers of responses.

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use core::mem;

use crate::bindings::wasi::http0_3_0::types::{Fields, HeaderError, Method, Scheme};
use crate::output::request_with;
use crate::{Answer, Call, fields, good, stream, trap};

pub(crate) fn respond(call: Call) -> Result<Answer, Call> {
    if let Some(code) = call.name.strip_prefix("status-") {
        return match code.parse() {
            Ok(code) => Ok(status(code)),
            Err(_) => Err(call),
        };
    }
    Ok(match &*call.name {
        "header-many" => {
            let headers = Fields::new();
            add_many(&headers);
            with_headers(headers)
        }
        "header-huge" => {
            let headers = Fields::new();
            add_huge(&headers);
            with_headers(headers)
        }
        "header-name-huge" => {
            let name = "x".repeat(100_000);
            // Whether it is accepted or not.
            let _ = Fields::new().append(&name, b"value");
            let _ = Fields::from_list(&[(name, b"value".to_vec())]);
            good()
        }
        "header-no-name" => refused("", b"value", &HeaderError::InvalidSyntax),
        "header-name-space" => refused("a b", b"value", &HeaderError::InvalidSyntax),
        "header-value-line" => {
            let value = b"a\r\nset-cookie: b";
            refused("x-value", value, &HeaderError::InvalidSyntax)
        }
        "header-value-zero" => refused("x-value", b"a\0b", &HeaderError::InvalidSyntax),
        "header-connection" => refused("Connection", b"close", &HeaderError::Forbidden),
        "header-coding" => refused("transfer-encoding", b"chunked", &HeaderError::Forbidden),
        "header-upgrade" => refused("upgrade", b"h2c", &HeaderError::Forbidden),
        "header-keep-alive" => refused("Keep-Alive", b"timeout=5", &HeaderError::Forbidden),
        "header-host" => refused("Host", b"example.com", &HeaderError::Forbidden),
        // Those of a request do not change.
        "header-immutable" => {
            check_immutable(&call.request.get_headers());
            let own = request_with(fields(&[("x-value", b"1")]), "localhost");
            check_immutable(&own.get_headers());
            good()
        }
        "request-setters" => {
            check_setters();
            good()
        }
        "trailer-many" => with_trailers(add_many),
        "trailer-huge" => with_trailers(add_huge),
        "trailer-length" => with_trailers(|trailers| {
            let _ = trailers.append("content-length", b"100");
        }),
        _ => return Err(call),
    })
}

/// Adds fields until one is refused, and traps if none is.
fn add_many(fields: &Fields) {
    let is_refused = |number| {
        let name = format!("x-{number}");
        fields.append(&name, b"value of this field").is_err()
    };
    if !(0..5000).any(is_refused) {
        trap();
    }
}

/// Adds a field that is too large, and traps if it is accepted.
fn add_huge(fields: &Fields) {
    if fields.append("x-huge", &vec![b'x'; 100_000]).is_ok() {
        trap();
    }
}

/// The response `good`, with this status where that is allowed.
fn status(code: u16) -> Answer {
    let response = good()?;
    // The default stays where this fails.
    let _ = response.set_status_code(code);
    Ok(response)
}

/// The response `good` with these headers.
#[allow(clippy::unnecessary_wraps, reason = "what a handler returns")]
fn with_headers(headers: Fields) -> Answer {
    Ok(stream(headers, async |mut body, _end| {
        body.write_all(b"good".to_vec()).await;
    }))
}

/// The response `good` with the trailers that `add` sets.
#[allow(clippy::unnecessary_wraps, reason = "what a handler returns")]
fn with_trailers(add: impl FnOnce(&Fields) + 'static) -> Answer {
    Ok(stream(Fields::new(), async move |mut body, end| {
        body.write_all(b"good".to_vec()).await;
        drop(body);
        let trailers = Fields::new();
        add(&trailers);
        let _ = end.write(Ok(Some(trailers))).await;
    }))
}

/// The response `good`. It traps unless this field is refused with this error.
fn refused(name: &str, value: &[u8], expected: &HeaderError) -> Answer {
    let headers = fields(&[("x-first", b"1")]);
    let list = [
        (name.to_string(), value.to_vec()),
        ("a".to_string(), b"b".to_vec()),
    ];
    let results = [
        headers.append(name, value),
        headers.set(name, &[value.to_vec()]),
        Fields::from_list(&list).map(drop),
    ];
    let is_expected = |result: &Result<(), HeaderError>| match result {
        // The variants have no equality.
        Err(error) => mem::discriminant(error) == mem::discriminant(expected),
        Ok(()) => false,
    };
    if !results.iter().all(is_expected) {
        trap();
    }
    good()
}

/// Traps unless these fields cannot be changed.
fn check_immutable(headers: &Fields) {
    let results = [
        headers.append("x-value", b"value"),
        headers.set("x-value", &[b"value".to_vec()]),
        headers.delete("x-value"),
    ];
    let is_immutable = |result: &_| matches!(result, Err(HeaderError::Immutable));
    if !results.iter().all(is_immutable) {
        trap();
    }
}

/// Traps unless the setters of a request reject values that are not valid, and accept others.
fn check_setters() {
    let request = request_with(Fields::new(), "localhost");
    let invalid = [
        request.set_method(&Method::Other("bad\nmethod".to_string())),
        request.set_authority(Some("localhost:99999")),
        request.set_authority(Some("local\nhost")),
        request.set_authority(Some("localhost:80:80")),
        request.set_scheme(Some(&Scheme::Other("bad\nscheme".to_string()))),
        request.set_path_with_query(Some("/bad\npath")),
    ];
    let valid = [
        request.set_method(&Method::Other("PURGE".to_string())),
        request.set_authority(Some("[::1]")),
        request.set_authority(Some("[::1]:443")),
        request.set_scheme(Some(&Scheme::Other("coap".to_string()))),
        request.set_path_with_query(Some("/a?b")),
        request.set_path_with_query(None),
    ];
    if invalid.iter().any(Result::is_ok) || valid.iter().any(Result::is_err) {
        trap();
    }
}
