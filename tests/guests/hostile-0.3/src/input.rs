//! Bodies of requests.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::pin::pin;

use wit_bindgen::{FutureReader, StreamReader, StreamResult, spawn_local, yield_async};

use crate::bindings::runner::audit::audit_log::{Attribute, Entry, append};
use crate::bindings::wasi::clocks0_3_0::monotonic_clock::wait_for;
use crate::bindings::wasi::http0_3_0::types::{ErrorCode, Request};
use crate::bindings::{wit_future, wit_stream};
use crate::output::{entry, print};
use crate::{Answer, Call, End, begin, good, hold, text, trap};

pub(crate) async fn respond(call: Call) -> Result<Answer, Call> {
    let (name, request) = (&*call.name, call.request);
    match name {
        "read-all" => {
            read_all(request, 4096).await;
        }
        "read-byte-by-byte" => {
            read_all(request, 1).await;
        }
        "read-huge" => {
            read_all(request, 8 << 20).await;
        }
        "read-slowly" => {
            let (mut body, _end) = take(request);
            while body.next().await.is_some() {
                wait_for(1_000_000).await;
            }
        }
        "read-nothing" => drop(request),
        "read-and-drop" => drop(take(request)),
        "read-end-only" => {
            let (body, end) = take(request);
            drop(body);
            let _ = end.await;
        }
        // The end comes after the body, which is not read.
        "read-end-first" => {
            let (_body, end) = take(request);
            let _ = end.await;
        }
        "read-none-for-ever" => {
            let (mut body, _end) = take(request);
            loop {
                let mut read = pin!(body.read(Vec::new()));
                begin(&mut read).await;
                yield_async().await;
            }
        }
        "read-and-refuse" => {
            let (writer, done) = wit_future::new(|| Err(ErrorCode::HttpProtocolError));
            drop(Request::consume_body(request, done));
            drop(writer);
        }
        // The result for its request reaches the component that has made the request.
        "refuse-its-own" => {
            let headers = request.get_headers().clone();
            let (body, end) = take(request);
            let (own, sent) = Request::new(headers, Some(body), end, None);
            let (writer, done) = wit_future::new(|| Err(ErrorCode::HttpProtocolError));
            drop(Request::consume_body(own, done));
            drop(writer);
            if !matches!(sent.await, Err(ErrorCode::HttpProtocolError)) {
                trap();
            }
        }
        "print-body-after-response" => {
            spawn_local(async move {
                let (body, end) = take(request);
                let length = body.collect().await.len();
                let end = match end.await {
                    Ok(_) => "complete",
                    Err(_) => "broken off",
                };
                print(format!("{length} bytes, {end}\n")).await;
            });
        }
        "refuse-and-hold" => {
            let (writer, done) = wit_future::new(|| Ok(()));
            drop(Request::consume_body(request, done));
            let _ = writer.write(Err(ErrorCode::HttpProtocolError)).await;
            hold().await;
        }
        "read-and-never-done" => {
            let (writer, done) = wit_future::new(|| Ok(()));
            drop(Request::consume_body(request, done));
            mem::forget(writer);
        }
        // It is moved into another request, and taken from that.
        "wrap-itself" => {
            let (mut body, end) = take(wrap(request, 100));
            while body.next().await.is_some() {}
            let _ = end.await;
        }
        "keep-reading" => {
            let (body, end) = take(request);
            mem::forget((body, end));
        }
        "hold-reading" => {
            let _kept = take(request);
            hold().await;
        }
        "value" => return Ok(append_body(request).await),
        _ => {
            return Err(Call { request, ..call });
        }
    }
    Ok(good())
}

/// Takes the body.
pub(crate) fn take(request: Request) -> (StreamReader<u8>, FutureReader<End>) {
    // Dropping the writer sends the default.
    let (_, done) = wit_future::new(|| Ok(()));
    Request::consume_body(request, done)
}

/// Reads to the end, or where the body breaks off. Returns its length.
pub(crate) async fn read_all(request: Request, size: usize) -> usize {
    let (mut body, end) = take(request);
    let mut received = 0;
    loop {
        let (result, bytes) = body.read(Vec::with_capacity(size)).await;
        received += bytes.len();
        if result == StreamResult::Dropped {
            let _ = end.await;
            return received;
        }
        if bytes.is_empty() {
            trap();
        }
    }
}

/// Appends an audit entry whose value is the body, and responds with its place in the log, as
/// `appender.wat` does.
async fn append_body(request: Request) -> Answer {
    let (body, end) = take(request);
    let value = body.collect().await;
    end.await?;
    let value = String::from_utf8(value).map_err(|_| ErrorCode::HttpProtocolError)?;
    let entry = Entry {
        attributes: vec![Attribute {
            name: "value".to_string(),
            value,
        }],
        ..entry("append".to_string())
    };
    if let Ok(receipt) = append(&entry) {
        return Ok(text(receipt.sequence.to_string()));
    }
    let response = text(*b"error: no receipt");
    if response.set_status_code(500).is_err() {
        trap();
    }
    Ok(response)
}

/// The request in `times` others, each with the body of the one before.
fn wrap(request: Request, times: usize) -> Request {
    let mut wrapped = request;
    for _ in 0..times {
        let headers = wrapped.get_headers().clone();
        let (body, end) = take(wrapped);
        wrapped = Request::new(headers, Some(body), end, None).0;
    }
    let (mut writer, reader) = wit_stream::new::<u8>();
    drop(reader);
    drop(writer.write(vec![0]));
    wrapped
}
