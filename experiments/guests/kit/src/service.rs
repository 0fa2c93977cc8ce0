//! Responses of WASI 0.3.
//!
//! A host reads the stream of a body only after the handler has returned the response, so that a
//! spawned task writes it.

use alloc::string::String;
use alloc::vec::Vec;

use wit_bindgen::{FutureWriter, StreamWriter};

use crate::bindings::wasi::http0_3_0::types::{ErrorCode, Fields, Response, Trailers};
use crate::bindings::{wit_future, wit_stream};
use crate::complete::Complete;

/// What follows the stream of a body: the end of the message, or why the body is incomplete.
pub type End = Result<Option<Trailers>, ErrorCode>;

/// The body of a response that was started.
pub struct Body {
    /// The bytes; a write waits until the host has read them.
    pub stream: StreamWriter<u8>,
    /// The end; dropping it ends the body without trailers.
    pub end: FutureWriter<End>,
}

/// Starts a response. Its body is written after the handler has returned it.
#[must_use]
#[allow(
    clippy::missing_panics_doc,
    reason = "it never panics: the status and the names are valid, and the names not forbidden"
)]
pub fn start(status: u16, headers: &[(String, Vec<u8>)]) -> (Response, Body) {
    let headers = Fields::from_list(headers).expect("these headers are valid");
    let (stream, contents) = wit_stream::new();
    let (end, trailers) = wit_future::new(|| Ok(None));
    let (response, _transmitted) = Response::new(headers, Some(contents), trailers);
    response.set_status_code(status).expect("a valid status");
    (response, Body { stream, end })
}

/// A complete response, whose body a task writes with backpressure.
#[must_use]
pub fn respond(complete: Complete) -> Response {
    let (response, mut body) = start(complete.status, &complete.headers);
    wit_bindgen::spawn_local(async move {
        // Bytes remain if the client has disconnected; the host handles that.
        let _ = body.stream.write_all(complete.body).await;
    });
    response
}
