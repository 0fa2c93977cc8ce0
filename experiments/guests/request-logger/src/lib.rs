//! A request log on standard error: a middleware of the world
//! `runner:experiments/request-logger`.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

use bindings::exports::wasi::http0_2_12::incoming_handler::Guest;
use bindings::wasi::cli0_2_12::stderr::get_stderr;
use bindings::wasi::http0_2_12::incoming_handler as next;
use guest_kit::bindings::wasi::http0_2_12::types::{IncomingRequest, ResponseOutparam};
use guest_kit::line;

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
        // Shared with the kit.
        with: {
            "wasi:http/types@0.2.12": guest_kit::bindings::wasi::http0_2_12::types,
        },
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
        let target = request.path_with_query();
        print(&(line::render(&request.method(), target.as_deref()) + "\n"));
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
