//! JSON over HTTP in front of a cipher, as a component of the world
//! `runner:cipher/http-adapter`.
//!
//! - [`stream`]: complete bodies from and to WASI streams
//! - this file: the bindings, and the handler of one request
//!
//! The documents and the checks of a request are in the crate `cipher_http`.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

mod stream;

use alloc::vec::Vec;

use bindings::exports::wasi::http0_2_12::incoming_handler::Guest;
use bindings::runner::cipher::cipher;
use bindings::wasi::http0_2_12::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use cipher_http::{Body, Operation, Problem, Response};

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: "../wit",
        world: "runner:cipher/http-adapter",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

struct Component;

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        respond(out, &Response::new(respond_to(&request)));
    }
}

/// Computes the result document for one request.
fn respond_to(request: &IncomingRequest) -> Result<Vec<u8>, Problem> {
    let target = request.path_with_query().unwrap_or_default();
    let is_post = || matches!(request.method(), Method::Post);
    let transform = match cipher_http::route(&target, is_post)? {
        Operation::Encrypt => cipher::encrypt,
        Operation::Decrypt => cipher::decrypt,
    };
    let headers = request.headers();
    let body = cipher_http::start_body(|name| headers.get(name))?;
    let body = read_body(request, body)?;
    let message = cipher_http::parse_message(&body)?;
    match transform(&message) {
        Ok(result) => Ok(cipher_http::render(&result)),
        Err(cipher::Error::Misconfigured(why)) => Err(Problem::misconfigured(why)),
        Err(cipher::Error::Unaudited(why)) => Err(Problem::unaudited(&why)),
    }
}

/// Reads the body, up to one byte beyond the limit.
fn read_body(request: &IncomingRequest, body: Body) -> Result<Vec<u8>, Problem> {
    let Ok(incoming) = request.consume() else {
        return Err(Problem::bad_request(&"the body cannot be read"));
    };
    let Ok(stream) = incoming.stream() else {
        return Err(Problem::bad_request(&"the body cannot be read"));
    };
    stream::read_to_end(&stream, body)
}

/// Sends one complete response.
fn respond(out: ResponseOutparam, response: &Response) {
    // These calls do not fail: the names are valid and not forbidden, and the body is taken
    // once.
    let headers = Fields::from_list(&response.headers).expect("these headers are valid");
    let head = OutgoingResponse::new(headers); // its status is 200
    if response.status != 200 {
        head.set_status_code(response.status)
            .expect("a valid status");
    }
    let outgoing = head.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(head));

    let stream = outgoing.write().expect("the stream is taken once");
    // The client has disconnected if this fails; the host handles that.
    if stream::write_all(&stream, &response.body).is_ok() {
        drop(stream);
        let _ = OutgoingBody::finish(outgoing, None);
    }
}
