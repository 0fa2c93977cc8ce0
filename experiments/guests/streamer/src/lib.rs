//! Responses that are streamed: a service of WASI 0.3, of the world `runner:experiments/streamer`.
//!
//! - [`events`]: server-sent events, one by one
//! - [`echo`]: the request body, while it is received
//! - [`route`]: the paths and their parameters
//! - this file: the bindings, and the handler
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

mod echo;
mod events;
mod route;

use bindings::exports::wasi::http0_3_0::handler::Guest;
use guest_kit::bindings::wasi::http0_3_0::types::{ErrorCode, Request, Response};
use guest_kit::complete::Complete;
use guest_kit::service;
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
        world: "runner:experiments/streamer",
        // Shared with the kit.
        with: {
            "wasi:http/types@0.3.0": guest_kit::bindings::wasi::http0_3_0::types,
        },
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

struct Component;

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        Ok(match Route::of(&target) {
            Ok(Route::Events { count }) => events::respond(count),
            Ok(Route::Echo) => echo::respond(request),
            Err(problem) => service::respond(Complete::problem(&problem)),
        })
    }
}
