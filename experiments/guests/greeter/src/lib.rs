//! A handler that responds with a greeting: a component of the world
//! `runner:experiments/greeter`.
//!
//! - [`greeting`]: the text of the greeting
//! - this file: the bindings, and the handler
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

mod greeting;

use bindings::exports::wasi::http0_2_12::incoming_handler::Guest;
use bindings::wasi::cli0_2_12::environment;
use guest_kit::bindings::wasi::http0_2_12::types::{IncomingRequest, ResponseOutparam};
use guest_kit::complete::Complete;
use guest_kit::http;

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: ["../../../wit", "../../../wit/experiments"],
        world: "runner:experiments/greeter",
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
        let target = request.path_with_query().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let text = greeting::render(&environment::get_environment(), path);
        http::respond(out, &Complete::text(&text));
    }
}
