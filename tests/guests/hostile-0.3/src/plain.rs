//! What well-behaved guests do.

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::sync::atomic::{AtomicU32, Ordering};

use wit_bindgen::{StreamResult, yield_async};

use crate::bindings::wasi::cli0_3_0::stdout;
use crate::bindings::wasi::http0_3_0::types::{Fields, Request, Response, Scheme};
use crate::compute::compute;
use crate::input::{read_all, take};
use crate::streams::pipe;
use crate::{Answer, Call, good, stream, text};

/// The number of requests of this instance.
static COUNT: AtomicU32 = AtomicU32::new(0);

pub(crate) async fn respond(call: Call) -> Result<Answer, Call> {
    let count = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    Ok(match &*call.name {
        "good" => good(),
        // Each chunk comes back before the next one is read, and the trailers at the end.
        "echo" => Ok(echo(call.request, Fields::new(), || ())),
        // The same by a guest that computes for each chunk until it is offloaded.
        "busy-echo" => Ok(echo(call.request, Fields::new(), compute)),
        // With the fields of the request, which are immutable.
        "echo-all" => {
            let headers = call.request.get_headers();
            Ok(echo(call.request, headers, || ()))
        }
        // The same without a byte in the memory of the guest.
        "echo-itself" => {
            let headers = call.request.get_headers();
            let (contents, trailers) = take(call.request);
            Ok(Response::new(headers, Some(contents), trailers).0)
        }
        // As many bytes as the argument says.
        "bytes" => {
            let mut left: usize = call.argument.parse().unwrap_or_default();
            Ok(stream(Fields::new(), async move |mut body, _end| {
                while left > 0 {
                    let size = left.min(64 << 10);
                    if !body.write_all(vec![b'x'; size]).await.is_empty() {
                        return;
                    }
                    left -= size;
                }
            }))
        }
        // The length of the body of the request.
        "length" => {
            let length = read_all(call.request, 64 << 10).await;
            Ok(text(length.to_string()))
        }
        "count" => Ok(text(count.to_string())),
        "count-and-yield" => {
            yield_async().await;
            Ok(text(count.to_string()))
        }
        "count-and-leave-stream" => {
            mem::forget(pipe());
            Ok(text(count.to_string()))
        }
        "count-and-print" => {
            let (mut writer, reader) = pipe();
            let result = stdout::write_via_stream(reader);
            writer
                .write_all(format!("count {count}").into_bytes())
                .await;
            drop(writer);
            let _ = result.await;
            Ok(text(count.to_string()))
        }
        // What the server says of the request.
        "target" => {
            let scheme = match call.request.get_scheme() {
                Some(Scheme::Http) => "http",
                Some(Scheme::Https) => "https",
                _ => "none",
            };
            let authority = call.request.get_authority().unwrap_or_default();
            let path = call.request.get_path_with_query().unwrap_or_default();
            Ok(text(format!("{scheme} {authority} {path}")))
        }
        _ => return Err(call),
    })
}

/// A response with these headers, and with the body and the trailers of the request.
fn echo(request: Request, headers: Fields, work: impl Fn() + 'static) -> Response {
    stream(headers, async move |mut body, end| {
        let (mut contents, trailers) = take(request);
        loop {
            let (result, bytes) = contents.read(Vec::with_capacity(64 << 10)).await;
            work();
            if !body.write_all(bytes).await.is_empty() {
                return;
            }
            if result == StreamResult::Dropped {
                break;
            }
        }
        drop(body);
        let trailers = match trailers.await {
            Ok(trailers) => Ok(trailers.map(|trailers| trailers.clone())),
            Err(code) => Err(code),
        };
        let _ = end.write(trailers).await;
    })
}
