//! A middleware that waits, and then rebuilds the request and the response, so that both bodies pass
//! through its memory. The service gets the body in upper case. The client gets each byte of the
//! response twice, and one more trailer: `x-sent` is the result that the service has reported for the
//! request.
//!
//! It uses an instruction of WebAssembly, so that it is empty on other targets.
#![cfg(target_family = "wasm")]
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

use alloc::format;
use alloc::vec::Vec;

use bindings::exports::wasi::http0_3_0::handler::Guest;
use bindings::wasi::clocks0_3_0::monotonic_clock::wait_for;
use bindings::wasi::http0_3_0::handler as next;
use bindings::wasi::http0_3_0::types::{ErrorCode, Fields, Request, Response};
use bindings::{wit_future, wit_stream};
use wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter};

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package tests:middleware;

            world middleware {
                import wasi:clocks/monotonic-clock@0.3.0;
                import wasi:http/handler@0.3.0;
                import wasi:http/types@0.3.0;
                export wasi:http/handler@0.3.0;
            }
        ",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

/// The time before the next handler is called, in nanoseconds.
const DELAY: u64 = 10_000_000;

/// Whether a message was handled.
type Handled = Result<(), ErrorCode>;

struct Component;

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        // The next handler is then called from a callback.
        wait_for(DELAY).await;
        let (request, sent, handled) = rebuild(request);
        let response = next::handle(request).await?;
        Ok(double(response, sent, handled))
    }
}

/// The request with its body in upper case, the result of the next handler for it, and the place to
/// report that.
fn rebuild(request: Request) -> (Request, FutureReader<Handled>, FutureWriter<Handled>) {
    let headers = without_length(&request.get_headers());
    let (method, scheme) = (request.get_method(), request.get_scheme());
    let (authority, path) = (request.get_authority(), request.get_path_with_query());
    let (handled, is_handled) = wit_future::new(|| Ok(()));
    let (mut contents, old_end) = Request::consume_body(request, is_handled);
    let (mut writer, body) = wit_stream::new();
    let (end, trailers) = wit_future::new(|| Ok(None));
    wit_bindgen::spawn_local(async move {
        let upper = |bytes: &[u8]| bytes.to_ascii_uppercase();
        if transform(&mut contents, &mut writer, upper).await {
            drop(writer);
            let _ = end.write(old_end.await).await;
        }
    });
    let (new, sent) = Request::new(headers, Some(body), trailers, None);
    let is_set = new
        .set_method(&method)
        .and_then(|()| new.set_scheme(scheme.as_ref()))
        .and_then(|()| new.set_authority(authority.as_deref()))
        .and_then(|()| new.set_path_with_query(path.as_deref()));
    if is_set.is_err() {
        trap();
    }
    (new, sent, handled)
}

/// The response with each byte twice, and with the result of the request among its trailers.
fn double(
    response: Response,
    sent: FutureReader<Handled>,
    handled: FutureWriter<Handled>,
) -> Response {
    let headers = without_length(&response.get_headers());
    let status = response.get_status_code();
    let (_, done) = wit_future::new(|| Ok(()));
    let (mut contents, old_end) = Response::consume_body(response, done);
    let (mut writer, body) = wit_stream::new();
    let (end, trailers) = wit_future::new(|| Ok(None));
    wit_bindgen::spawn_local(async move {
        let twice = |bytes: &[u8]| bytes.iter().flat_map(|byte| [*byte; 2]).collect();
        if !transform(&mut contents, &mut writer, twice).await {
            return;
        }
        drop(writer);
        let sent = sent.await;
        let trailers = old_end.await.map(|trailers| {
            let trailers = trailers.map_or_else(Fields::new, |trailers| trailers.clone());
            let value = format!("{sent:?}");
            if trailers.append("x-sent", value.as_bytes()).is_err() {
                trap();
            }
            Some(trailers)
        });
        let _ = handled.write(sent).await;
        let _ = end.write(trailers).await;
    });
    let (new, _sent) = Response::new(headers, Some(body), trailers);
    if new.set_status_code(status).is_err() {
        trap();
    }
    new
}

/// Writes what `change` makes of the bytes. Returns whether all of them were accepted.
async fn transform(
    contents: &mut StreamReader<u8>,
    writer: &mut StreamWriter<u8>,
    change: impl Fn(&[u8]) -> Vec<u8>,
) -> bool {
    loop {
        let (result, bytes) = contents.read(Vec::with_capacity(64 << 10)).await;
        if !writer.write_all(change(&bytes)).await.is_empty() {
            return false;
        }
        if result == StreamResult::Dropped {
            return true;
        }
    }
}

/// A copy without the length of the body, which changes.
fn without_length(headers: &Fields) -> Fields {
    let headers = headers.clone();
    if headers.delete("content-length").is_err() {
        trap();
    }
    headers
}

/// Ends the instance.
fn trap() -> ! {
    core::arch::wasm32::unreachable()
}
