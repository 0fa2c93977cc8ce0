//! Authorization by bearer token (RFC 6750): a middleware of WASI 0.3, of the world
//! `runner:experiments/gate-middleware`.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

use bindings::exports::wasi::http0_3_0::handler::Guest;
use bindings::wasi::cli0_3_0::environment;
use bindings::wasi::http0_3_0::handler as next;
use guest_kit::bindings::wasi::http0_3_0::types::{ErrorCode, Request, Response};
use guest_kit::complete::Complete;
use guest_kit::{service, token};

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: ["../../../wit", "../../../wit/experiments"],
        world: "runner:experiments/gate-middleware",
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
    /// Passes the request on as it is: its body is a stream that does not go through this guest.
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let authorization = request.get_headers().get("authorization");
        match token::authorize(&environment::get_environment(), &authorization) {
            Ok(()) => next::handle(request).await,
            Err(problem) => Ok(service::respond(Complete::problem(&problem))),
        }
    }
}
