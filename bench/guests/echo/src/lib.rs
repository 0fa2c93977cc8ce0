//! An HTTP handler that echoes the body of each request while it arrives.
//!
//! The host moves the bytes from one stream to the other (`blocking-splice`), so they never enter
//! the guest's memory. Each call waits until the client reads more, so a slow client slows its own
//! request down and no buffer grows.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

use alloc::string::ToString;

use bindings::exports::wasi::http0_2_12::incoming_handler::Guest;
use bindings::wasi::http0_2_12::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};

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
            package bench:echo;

            world echo {
                import wasi:io/error@0.2.12;
                import wasi:io/poll@0.2.12;
                import wasi:io/streams@0.2.12;
                import wasi:http/types@0.2.12;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

/// More than the host moves in one call, so the host chooses.
const CHUNK_BYTES: u64 = 1 << 20;

struct Component;

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let headers = Fields::new();
        let length = "content-length".to_string();
        let values = request.headers().get(&length);
        if !values.is_empty() {
            // The same header came in, so its name and value are valid.
            headers.set(&length, &values).expect("a valid header");
        }
        let incoming = request.consume().expect("the body is taken once");
        let source = incoming.stream().expect("the stream is taken once");

        let response = OutgoingResponse::new(headers);
        let outgoing = response.body().expect("the body is taken once");
        ResponseOutparam::set(out, Ok(response));
        let sink = outgoing.write().expect("the stream is taken once");

        let copied = copy(&source, &sink);
        drop(sink);
        // An unfinished body shows the client that it is incomplete.
        if copied.is_ok() {
            let _ = OutgoingBody::finish(outgoing, None);
        }
    }
}

/// Moves all bytes from `source` to `sink`.
fn copy(source: &InputStream, sink: &OutputStream) -> Result<(), StreamError> {
    loop {
        match sink.blocking_splice(source, CHUNK_BYTES) {
            Ok(_) => {}
            // The source has ended, or the client has disconnected.
            Err(StreamError::Closed) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
