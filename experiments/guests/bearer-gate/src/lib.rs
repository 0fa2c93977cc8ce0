//! Authorization by bearer token (RFC 6750): a middleware of the world
//! `runner:experiments/bearer-gate`.
//!
//! - [`token`]: the token, and its comparison with a request
//! - this file: the bindings, and the handler
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

mod token;

use alloc::string::ToString;

use bindings::exports::wasi::http0_2_12::incoming_handler::Guest;
use bindings::wasi::cli0_2_12::environment;
use bindings::wasi::http0_2_12::incoming_handler as next;
use guest_kit::bindings::wasi::http0_2_12::types::{IncomingRequest, ResponseOutparam};
use guest_kit::http;
use guest_kit::problem::Problem;
use token::Token;

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
        match check(&request) {
            Ok(()) => next::handle(request, out),
            Err(problem) => http::respond_with_problem(out, &problem),
        }
    }
}

fn check(request: &IncomingRequest) -> Result<(), Problem> {
    let token = Token::from_environment(&environment::get_environment())
        .map_err(|error| Problem::misconfigured(error.to_string()))?;
    let name = "authorization".to_string();
    if token.matches(&request.headers().get(&name)) {
        return Ok(());
    }
    let detail = "expected the header `Authorization: Bearer` with the right token";
    Err(Problem::unauthorized(detail.to_string()))
}
