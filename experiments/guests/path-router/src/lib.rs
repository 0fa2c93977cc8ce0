//! A router to one of two handlers: a component of the world
//! `runner:experiments/path-router`.
//!
//! - [`route`]: the handler of a path
//! - this file: the bindings, and the handler
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

mod route;

use alloc::format;

use bindings::exports::wasi::http0_2_12::incoming_handler::Guest;
use bindings::{a, b};
use guest_kit::bindings::wasi::http0_2_12::types::{IncomingRequest, ResponseOutparam};
use guest_kit::complete::Complete;
use guest_kit::http;
use guest_kit::problem::Problem;
use route::Route;

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: ["../../../wit", "../../../wit/experiments"],
        world: "runner:experiments/path-router",
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
        match Route::of(path) {
            Some(Route::A) => a::handle(request, out),
            Some(Route::B) => b::handle(request, out),
            None => {
                let detail = format!("unknown path `{path}`; expected `/a` or `/b`");
                http::respond(out, &Complete::problem(&Problem::not_found(detail)));
            }
        }
    }
}
