//! Makes the server retain as much as it can: each behaviour calls one host function 9,000 times,
//! and then answers `kept`. With the argument `drop` it calls it 900 times, and drops each handle
//! before the next call; any other argument is the server that it sends requests to.

use alloc::string::{String, ToString};
use alloc::vec;
use core::mem;

use crate::bindings::wasi::http0_3_0::client::send;
use crate::bindings::wasi::http0_3_0::types::{Fields, Method, Request, Response, Scheme};
use crate::bindings::{wit_future, wit_stream};
use crate::output::request_with;
use crate::{Answer, Call, text, trap};

const TIMES: usize = 9_000;
const TIMES_WITH_DROP: usize = 900;

/// The length of a value.
const VALUE_BYTES: usize = 120_000;
/// The length of a method, a path or an authority.
const TEXT_BYTES: usize = 60_000;

pub(crate) async fn respond(call: Call) -> Result<Answer, Call> {
    let Some(function) = call.name.strip_prefix("keep-") else {
        return Err(call);
    };
    let drops = call.argument == "drop";
    let times = if drops { TIMES_WITH_DROP } else { TIMES };
    let value = vec![b'a'; VALUE_BYTES];
    let name = "a".repeat(TEXT_BYTES);
    let full = fields(&value);
    for _ in 0..times {
        match function {
            // wasi:http/types@0.3 [constructor]fields:
            "fields" => end(drops, Fields::new()),
            // wasi:http/types@0.3 [static]fields.from-list:
            "from-list" => end(
                drops,
                Fields::from_list(&[("x".to_string(), value.clone())]),
            ),
            // wasi:http/types@0.3 [method]fields.set:
            "set" => {
                let map = Fields::new();
                let _ = map.set("x", core::slice::from_ref(&value));
                end(drops, map);
            }
            // wasi:http/types@0.3 [method]fields.append:
            "append" => end(drops, fields(&value)),
            // wasi:http/types@0.3 [method]fields.clone: which copies once the clone is changed
            "clone" => {
                let copy = full.clone();
                let _ = copy.append("x", b"a");
                end(drops, copy);
            }
            // wasi:http/types@0.3 [static]request.new:
            "request" => end(drops, request()),
            // wasi:http/types@0.3 [static]response.new:
            "response" => {
                let (writer, contents) = wit_stream::new::<u8>();
                let (_, trailers) = wit_future::new(|| Ok(None));
                let made = Response::new(Fields::new(), Some(contents), trailers);
                end(drops, (writer, made));
            }
            // wasi:http/types@0.3 [method]request.set-method:
            "method" => {
                let request = request();
                let _ = request.set_method(&Method::Other(name.clone()));
                end(drops, request);
            }
            // wasi:http/types@0.3 [method]request.set-path-with-query:
            "path" => {
                let request = request();
                let path = String::from("/") + &name;
                let _ = request.set_path_with_query(Some(&path));
                end(drops, request);
            }
            // wasi:http/types@0.3 [method]request.set-scheme:
            "scheme" => {
                let request = request();
                let _ = request.set_scheme(Some(&Scheme::Other("a".repeat(64))));
                end(drops, request);
            }
            // wasi:http/types@0.3 [method]request.set-authority:
            "authority" => {
                let request = request();
                let _ = request.set_authority(Some(&name));
                end(drops, request);
            }
            // wasi:http/client@0.3 send:
            "send" => match send(request_with(fields(&value[..1000]), &call.argument)).await {
                Ok(response) => mem::forget(response),
                Err(_) => trap(),
            },
            _ => return Err(call),
        }
    }
    Ok(Ok(text(*b"kept")))
}

/// Drops a handle, or keeps it to the end of the request.
fn end<T>(drops: bool, value: T) {
    if drops {
        drop(value);
    } else {
        mem::forget(value);
    }
}

/// A map of fields with this value.
fn fields(value: &[u8]) -> Fields {
    let map = Fields::new();
    let _ = map.append("x", value);
    map
}

/// A request without a body.
fn request() -> Request {
    let (_, trailers) = wit_future::new(|| Ok(None));
    Request::new(Fields::new(), None, trailers, None).0
}
