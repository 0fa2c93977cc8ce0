//! Authorization by bearer token (RFC 6750): a middleware of the world
//! `runner:experiments/bearer-gate`.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

use bindings::exports::wasi::http0_2_12::incoming_handler::Guest;
use bindings::wasi::cli0_2_12::environment;
use bindings::wasi::http0_2_12::incoming_handler as next;
use guest_kit::bindings::wasi::http0_2_12::types::{IncomingRequest, ResponseOutparam};
use guest_kit::complete::Complete;
use guest_kit::{http, token};

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: ["../../../wit", "../../../wit/experiments"],
        world: "runner:experiments/bearer-gate",
        // Shared with the kit.
        with: {
            "wasi:http/types@0.2.12": guest_kit::bindings::wasi::http0_2_12::types,
        },
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

struct Component;

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let authorization = request.headers().get("authorization");
        match token::authorize(&environment::get_environment(), &authorization) {
            Ok(()) => next::handle(request, out),
            Err(problem) => http::respond(out, &Complete::problem(&problem)),
        }
    }
}
