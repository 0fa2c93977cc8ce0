//! Answers at `/good`, and misbehaves, or does something unusual, at every other path: the last
//! segment of the path names the behaviour, and the query is its argument.
//!
//! - [`compute`]: processor time and memory.
//! - [`tasks`]: tasks, and calls that are not finished.
//! - [`streams`]: streams, futures and other handles.
//! - [`body`]: bodies of responses, and work after them.
//! - [`head`]: heads and trailers of responses.
//! - [`input`]: bodies of requests.
//! - [`output`]: standard outputs, requests of the guest, random bytes, and audit entries.
//! - [`send`]: requests of the guest to a server that answers.
//! - [`keep`]: values that the server retains for the guest.
//! - [`traces`]: traces of other requests.
//! - [`plain`]: what well-behaved guests do.
//!
//! `tests/src/stress/hostile/table_03.rs` has the expected answers.
//!
//! It uses instructions of WebAssembly, so that it is empty on other targets.
#![cfg(target_family = "wasm")]
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

mod body;
mod compute;
mod head;
mod input;
mod keep;
mod output;
mod plain;
mod send;
mod streams;
mod tasks;
mod traces;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::Poll;

use bindings::exports::wasi::http0_3_0::handler::Guest;
use bindings::wasi::clocks0_3_0::monotonic_clock::wait_for;
use bindings::wasi::http0_3_0::types::{ErrorCode, Fields, Request, Response, Trailers};
use bindings::{wit_future, wit_stream};
use wit_bindgen::{FutureWriter, StreamWriter};

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
            package tests:hostile;

            world hostile {
                import runner:audit/audit-log@0.1.0;
                import wasi:cli/exit@0.3.0;
                import wasi:cli/stderr@0.3.0;
                import wasi:cli/stdout@0.3.0;
                import wasi:clocks/monotonic-clock@0.3.0;
                import wasi:http/client@0.3.0;
                import wasi:http/types@0.3.0;
                import wasi:random/random@0.3.0;
                export wasi:http/handler@0.3.0;
            }
        ",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

/// A request for a behaviour.
struct Call {
    name: String,
    argument: String,
    request: Request,
}

/// What the handler returns.
type Answer = Result<Response, ErrorCode>;

/// What follows the stream of a body: the end of the message, or why the body is incomplete.
type End = Result<Option<Trailers>, ErrorCode>;

struct Component;

impl Guest for Component {
    async fn handle(request: Request) -> Answer {
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, argument) = target.split_once('?').unwrap_or((&target, ""));
        let name = path.rsplit('/').next().unwrap_or_default();
        let call = Call {
            name: name.to_string(),
            argument: argument.to_string(),
            request,
        };
        match dispatch(call).await {
            Ok(answer) => answer,
            // No behaviour has this name.
            Err(_) => trap(),
        }
    }
}

/// Gives a call to the module that has its behaviour.
async fn dispatch(call: Call) -> Result<Answer, Call> {
    let call = match plain::respond(call).await {
        Err(call) => call,
        answered => return answered,
    };
    let call = match compute::respond(call).await {
        Err(call) => call,
        answered => return answered,
    };
    let call = match tasks::respond(call).await {
        Err(call) => call,
        answered => return answered,
    };
    let call = match streams::respond(call).await {
        Err(call) => call,
        answered => return answered,
    };
    let call = match body::respond(call) {
        Err(call) => call,
        answered => return answered,
    };
    let call = match head::respond(call) {
        Err(call) => call,
        answered => return answered,
    };
    let call = match input::respond(call).await {
        Err(call) => call,
        answered => return answered,
    };
    let call = match output::respond(call).await {
        Err(call) => call,
        answered => return answered,
    };
    let call = match send::respond(call).await {
        Err(call) => call,
        answered => return answered,
    };
    let call = match keep::respond(call).await {
        Err(call) => call,
        answered => return answered,
    };
    traces::respond(call)
}

/// Ends the instance.
fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

/// Waits for longer than any limit.
async fn hold() {
    wait_for(u64::MAX).await;
}

/// Polls a future once: it begins its call, and goes on with it.
async fn begin<F: Future>(future: &mut Pin<&mut F>) {
    poll_fn(|cx| {
        let _ = future.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;
}

/// A response whose body and trailers `work` writes, in a task that goes on after the handler has
/// returned.
fn stream<F>(
    headers: Fields,
    work: impl FnOnce(StreamWriter<u8>, FutureWriter<End>) -> F,
) -> Response
where
    F: Future<Output = ()> + 'static,
{
    let (writer, contents) = wit_stream::new();
    // Dropping the writer sends the default.
    let (end, trailers) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(headers, Some(contents), trailers);
    wit_bindgen::spawn_local(work(writer, end));
    response
}

/// A response with this body.
fn text(bytes: impl Into<Vec<u8>>) -> Response {
    let bytes = bytes.into();
    stream(Fields::new(), async move |mut body, _end| {
        // The client may have left.
        let _ = body.write_all(bytes).await;
    })
}

/// The response 200 with the body `good`.
#[allow(clippy::unnecessary_wraps, reason = "what a handler returns")]
fn good() -> Answer {
    Ok(text(*b"good"))
}

/// Fields with a `content-length`.
fn length(value: &str) -> Fields {
    fields(&[("content-length", value.as_bytes())])
}

/// Valid fields.
fn fields(entries: &[(&str, &[u8])]) -> Fields {
    let owned: Vec<_> = entries
        .iter()
        .map(|(name, value)| ((*name).to_string(), value.to_vec()))
        .collect();
    Fields::from_list(&owned).unwrap_or_else(|_| trap())
}
