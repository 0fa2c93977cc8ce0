//! Streams, futures and other handles.

use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::pin::pin;

use wit_bindgen::{
    FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter, spawn_local, yield_async,
};

use crate::bindings::wasi::http0_3_0::types::{Fields, Request, Response};
use crate::bindings::{wit_future, wit_stream};
use crate::tasks::SOME;
use crate::{Answer, Call, End, begin, good, trap};

pub(crate) async fn respond(call: Call) -> Result<Answer, Call> {
    Ok(match &*call.name {
        "streams-for-ever" => {
            let mut kept = Vec::new();
            loop {
                kept.push(pipe());
            }
        }
        "futures-for-ever" => {
            let mut kept = Vec::new();
            loop {
                kept.push(promise());
            }
        }
        "sets-for-ever" => loop {
            intrinsics::new_set();
        },
        "drop-streams-for-ever" => loop {
            drop(pipe());
        },
        "drop-futures-for-ever" => loop {
            let (writer, reader) = promise();
            drop(reader);
            drop(writer);
        },
        // They are still open when the request ends.
        "leave-streams" => {
            let count = call.argument.parse().unwrap_or(SOME);
            let kept: Vec<_> = (0..count).map(|_| pipe()).collect();
            mem::forget(kept);
            good()
        }
        "leave-futures" => {
            let kept: Vec<_> = (0..SOME).map(|_| promise()).collect();
            mem::forget(kept);
            good()
        }
        "leave-request" => {
            mem::forget(call.request);
            good()
        }
        "read-its-own" => {
            read_its_own().await;
            good()
        }
        "write-after-drop" => {
            let (mut writer, reader) = pipe();
            drop(reader);
            let (result, _) = writer.write(vec![0]).await;
            if result == StreamResult::Dropped {
                good()
            } else {
                trap()
            }
        }
        // The body of a message that is never sent.
        "drop-unsent" => {
            drop_unsent().await;
            good()
        }
        "read-and-cancel-for-ever" => {
            let (_writer, mut reader) = pipe();
            loop {
                let mut read = pin!(reader.read(vec![0; 64]));
                begin(&mut read).await;
            }
        }
        "empty-writes-to-itself" => {
            let (mut writer, _reader) = pipe();
            loop {
                let mut write = pin!(writer.write(Vec::new()));
                begin(&mut write).await;
                yield_async().await;
            }
        }
        "handle-not-owned" => {
            drop(intrinsics::request(12_345).get_method());
            good()
        }
        "handle-of-another-kind" => {
            let (writer, _reader) = pipe();
            drop(intrinsics::request(writer.handle()).get_method());
            good()
        }
        "handle-twice" => {
            let handle = call.request.take_handle();
            for _ in 0..2 {
                let (_, done) = wit_future::new(|| Ok(()));
                drop(Request::consume_body(intrinsics::request(handle), done));
            }
            good()
        }
        _ => return Err(call),
    })
}

/// Traps unless a body of a message that is dropped accepts no byte.
async fn drop_unsent() {
    for is_request in [true, false] {
        let (mut writer, contents) = pipe();
        let (_, trailers) = promise();
        if is_request {
            drop(Request::new(Fields::new(), Some(contents), trailers, None));
        } else {
            drop(Response::new(Fields::new(), Some(contents), trailers));
        }
        if writer.write_all(b"unread".to_vec()).await != b"unread" {
            trap();
        }
    }
}

/// A stream of its own.
pub(crate) fn pipe() -> (StreamWriter<u8>, StreamReader<u8>) {
    wit_stream::new()
}

/// A future of its own.
pub(crate) fn promise() -> (FutureWriter<End>, FutureReader<End>) {
    wit_future::new(|| Ok(None))
}

/// Moves bytes through a stream whose ends are both its own.
async fn read_its_own() {
    let (mut writer, mut reader) = pipe();
    spawn_local(async move {
        let left = writer.write_all(vec![7; 10_000]).await;
        if !left.is_empty() {
            trap();
        }
    });
    let mut received = 0;
    loop {
        let (result, bytes) = reader.read(Vec::with_capacity(1000)).await;
        received += bytes.len();
        if result == StreamResult::Dropped {
            break;
        }
    }
    if received != 10_000 {
        trap();
    }
}

#[allow(unsafe_code, reason = "the safe bindings prevent these mistakes")]
mod intrinsics {
    use crate::bindings::wasi::http0_3_0::types::Request;

    #[link(wasm_import_module = "$root")]
    unsafe extern "C" {
        #[link_name = "[waitable-set-new]"]
        fn waitable_set_new() -> u32;
    }

    /// Makes a set of waitables, which is never dropped.
    pub(super) fn new_set() {
        // SAFETY: it takes nothing and returns a handle.
        unsafe { waitable_set_new() };
    }

    /// A request with any handle.
    pub(super) fn request(handle: u32) -> Request {
        // SAFETY: none; the server has to detect a handle that is not one.
        unsafe { Request::from_handle(handle) }
    }
}
