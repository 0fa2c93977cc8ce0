//! Heads and trailers of responses.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;

use crate::bindings::wasi::http0_3_0::types::{Fields, Response};
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
        "header-name-huge" => refused(&"x".repeat(100_000), b"value"),
        "header-no-name" => refused("", b"value"),
        "header-name-space" => refused("a b", b"value"),
        "header-value-line" => refused("x-value", b"a\r\nset-cookie: b"),
        "header-value-zero" => refused("x-value", b"a\0b"),
        "header-connection" => refused("connection", b"close"),
        "header-coding" => refused("transfer-encoding", b"chunked"),
        "header-upgrade" => refused("upgrade", b"h2c"),
        // Those of a request do not change.
        "header-immutable" => {
            let headers = call.request.get_headers();
            match headers.append("x-value", b"value") {
                Err(_) => good(),
                Ok(()) => trap(),
            }
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

/// The response `good`, without a field that is not allowed. It traps if that field is accepted, but
/// a long name is one.
fn refused(name: &str, value: &[u8]) -> Answer {
    let headers = fields(&[("x-first", b"1")]);
    let is_long = name.len() > 1000;
    if headers.append(name, value).is_ok() && !is_long {
        trap();
    }
    let list = [
        (String::from(name), value.to_vec()),
        ("a".to_string(), b"b".to_vec()),
    ];
    if Fields::from_list(&list).is_ok() && !is_long {
        trap();
    }
    let response: Response = good()?;
    Ok(response)
}
