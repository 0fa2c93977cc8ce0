//! Writes one line on standard error for each request and passes it on, as a
//! component of the world `runner:experiments/request-logger`.
//!
//! - [`line`]: what the line says.
//! - this file: the bindings, and the way of a request.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

mod line;

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::wasi::cli::stderr::get_stderr;
use bindings::wasi::http::incoming_handler as behind;
use bindings::wasi::http::types::{IncomingRequest, Method, ResponseOutparam};

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: ["../../../wit", "../../../wit/experiments"],
        world: "runner:experiments/request-logger",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

/// The most bytes that WASI takes in one blocking write.
const MAX_WRITE_BYTES: usize = 4096;

struct Component;

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let method = request.method();
        let target = request.path_with_query();
        print(&line::render(name(&method), target.as_deref()));
        behind::handle(request, out);
    }
}

/// Prints a line, as far as that can be done: a log that cannot be written is no
/// reason to refuse a request.
fn print(line: &str) {
    let stderr = get_stderr();
    for part in line.as_bytes().chunks(MAX_WRITE_BYTES) {
        if stderr.blocking_write_and_flush(part).is_err() {
            return;
        }
    }
}

fn name(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => name,
    }
}
