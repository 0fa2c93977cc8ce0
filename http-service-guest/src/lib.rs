//! JSON over HTTP in front of a cipher, as a component of the world
//! `runner:cipher/http-service`, for hosts of WASI 0.3.
//!
//! - [`stream`]: complete bodies from and to streams of the component model
//! - this file: the bindings, and the handler of one request
//!
//! The documents and the checks of a request are in the crate `cipher_http`.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

mod stream;

use alloc::vec::Vec;

use bindings::exports::wasi::http0_3_0::handler::Guest;
use bindings::runner::cipher::cipher;
use bindings::wasi::http0_3_0::types::{ErrorCode, Fields, Method, Request, Response};
use cipher_http::{Operation, Problem};

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: "../wit",
        world: "runner:cipher/http-service",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

struct Component;

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let result = respond_to(request).await;
        Ok(respond(cipher_http::Response::new(result)))
    }
}

/// Computes the result document for one request.
async fn respond_to(request: Request) -> Result<Vec<u8>, Problem> {
    let target = request.get_path_with_query().unwrap_or_default();
    let is_post = || matches!(request.get_method(), Method::Post);
    let transform = match cipher_http::route(&target, is_post)? {
        Operation::Encrypt => cipher::encrypt,
        Operation::Decrypt => cipher::decrypt,
    };
    let headers = request.get_headers();
    let body = cipher_http::start_body(|name| headers.get(name))?;
    let body = stream::read_to_end(request, body).await?;
    let message = cipher_http::parse_message(&body)?;
    match transform(&message) {
        Ok(result) => Ok(cipher_http::render(&result)),
        Err(cipher::Error::Misconfigured(why)) => Err(Problem::misconfigured(why)),
        Err(cipher::Error::Unaudited(why)) => Err(Problem::unaudited(&why)),
    }
}

/// Makes one complete response, whose body is written after the handler has returned it.
fn respond(response: cipher_http::Response) -> Response {
    // These calls do not fail: the names are valid and not forbidden.
    let headers = Fields::from_list(&response.headers).expect("these headers are valid");
    let (contents, trailers) = stream::write_all(response.body);
    let (head, _transmitted) = Response::new(headers, Some(contents), trailers); // its status is 200
    if response.status != 200 {
        head.set_status_code(response.status)
            .expect("a valid status");
    }
    head
}
