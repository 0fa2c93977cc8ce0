//! Standard outputs, requests of the guest, random bytes, and audit entries.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::hint::black_box;
use core::mem;

use wit_bindgen::yield_async;

use crate::bindings::runner::audit::audit_log::{Entry, Outcome, append};
use crate::bindings::wasi::cli0_3_0::{stderr, stdout};
use crate::bindings::wasi::http0_3_0::client::send;
use crate::bindings::wasi::http0_3_0::types::{Fields, Request, Scheme};
use crate::bindings::wasi::random0_3_0::random::get_random_bytes;
use crate::bindings::wit_future;
use crate::streams::pipe;
use crate::{Answer, Call, begin, good, trap};

pub(crate) async fn respond(call: Call) -> Result<Answer, Call> {
    match &*call.name {
        "print-for-ever" => print_for_ever(b"a line\n".to_vec()).await,
        "print-without-lines" => print_for_ever(vec![b'x'; 100]).await,
        "print-much-at-once" => print_for_ever(vec![b'x'; 1 << 20]).await,
        "print-to-stderr-for-ever" => {
            let (mut writer, reader) = pipe();
            let _result = stderr::write_via_stream(reader);
            while writer.write_all(b"a line\n".to_vec()).await.is_empty() {}
            trap();
        }
        "print-in-pieces" => {
            for piece in [&b"first "[..], b"", b"second\n", b"third"] {
                print(piece).await;
            }
        }
        "print-and-leave" => {
            let (writer, reader) = pipe();
            mem::forget((writer, stdout::write_via_stream(reader)));
        }
        "outputs-for-ever" => {
            let mut kept = Vec::new();
            loop {
                let (writer, reader) = pipe();
                kept.push((writer, stdout::write_via_stream(reader)));
            }
        }
        "random-huge" => drop(black_box(get_random_bytes(1 << 40))),
        "random-for-ever" => loop {
            black_box(get_random_bytes(1024));
        },
        "send-to-loopback" => refuse("127.0.0.1:1").await,
        "send-to-metadata" => refuse("169.254.169.254").await,
        "send-to-localhost" => refuse("localhost:1").await,
        "send-itself" => {
            if send(call.request).await.is_ok() {
                trap();
            }
        }
        "send-and-wait" => {
            let _ = send(request_to(authority(&call))).await;
        }
        "send-for-ever" => loop {
            let _ = send(request_to("127.0.0.1:1")).await;
            // Otherwise the ends of its trailers would stay until then.
            yield_async().await;
        },
        "send-and-cancel" => {
            for _ in 0..20 {
                let mut call = Box::pin(send(request_to(authority(&call))));
                begin(&mut call.as_mut()).await;
                drop(call);
                yield_async().await;
            }
        }
        "send-and-cancel-for-ever" => loop {
            let mut call = Box::pin(send(request_to(authority(&call))));
            begin(&mut call.as_mut()).await;
        },
        // Waits for none of them.
        "send-and-keep" => {
            let mut kept = Vec::new();
            loop {
                let mut call = Box::pin(send(request_to(authority(&call))));
                begin(&mut call.as_mut()).await;
                kept.push(call);
            }
        }
        "audit-for-ever" => loop {
            let _ = append(&entry("hostile".to_string()));
        },
        "audit-huge" => {
            if append(&entry("a".repeat(100_000))).is_ok() {
                trap();
            }
        }
        "audit-invalid" => {
            if append(&entry(String::new())).is_ok() {
                trap();
            }
        }
        _ => return Err(call),
    }
    Ok(good())
}

/// The server in the query, or one that does not answer.
fn authority(call: &Call) -> &str {
    match &*call.argument {
        "" => "127.0.0.1:1",
        given => given,
    }
}

/// Prints a text.
pub(crate) async fn print(text: impl Into<Vec<u8>>) {
    let (mut writer, reader) = pipe();
    let result = stdout::write_via_stream(reader);
    writer.write_all(text.into()).await;
    drop(writer);
    let _ = result.await;
}

/// Prints without an end.
async fn print_for_ever(bytes: Vec<u8>) {
    let (mut writer, reader) = pipe();
    let _result = stdout::write_via_stream(reader);
    while writer.write_all(bytes.clone()).await.is_empty() {}
    // The server does not close its output.
    trap();
}

/// A request to this server.
pub(crate) fn request_to(authority: &str) -> Request {
    request_with(Fields::new(), authority)
}

/// A request with these headers to this server.
pub(crate) fn request_with(headers: Fields, authority: &str) -> Request {
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (request, _sent) = Request::new(headers, None, trailers, None);
    let is_set = request
        .set_scheme(Some(&Scheme::Http))
        .and_then(|()| request.set_authority(Some(authority)));
    if is_set.is_err() {
        trap();
    }
    request
}

/// Traps if a request to this server is let through.
async fn refuse(authority: &str) {
    if send(request_to(authority)).await.is_ok() {
        trap();
    }
}

/// An audit entry for an action that was done.
pub(crate) fn entry(action: String) -> Entry {
    Entry {
        action,
        outcome: Outcome::Success,
        resource: None,
        attributes: Vec::new(),
    }
}
