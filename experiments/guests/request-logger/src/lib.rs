//! A request log on standard error: a middleware of the world
//! `runner:experiments/request-logger`.
//!
//! - [`line`]: the line of a request
//! - this file: the bindings, and the handler
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

mod line;

use bindings::exports::wasi::http0_2_12::incoming_handler::Guest;
use bindings::wasi::cli0_2_12::stderr::get_stderr;
use bindings::wasi::http0_2_12::incoming_handler as next;
use bindings::wasi::http0_2_12::types::{IncomingRequest, Method, ResponseOutparam};

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

/// Maximum number of bytes of one blocking write in WASI.
const MAX_WRITE_BYTES: usize = 4096;

struct Component;

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let method = request.method();
        let target = request.path_with_query();
        print(&line::render(name(&method), target.as_deref()));
        next::handle(request, out);
    }
}

/// Prints a line and ignores errors: an unavailable log must not fail a request.
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
