//! JSON over HTTP in front of a cipher, as a component of the world
//! `runner:cipher/http-adapter`.
//!
//! - [`message`]: the two JSON documents, request and result
//! - [`problem`]: all error responses (RFC 9457)
//! - [`stream`]: complete bodies from and to WASI streams
//! - this file: the bindings, and the handler of one request
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

mod message;
mod problem;
mod stream;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bindings::exports::wasi::http0_2_12::incoming_handler::Guest;
use bindings::runner::cipher::cipher;
use bindings::wasi::http0_2_12::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use problem::Problem;

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

/// Maximum length of a message, in bytes of UTF-8: 1 MiB.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Maximum length of a body in bytes: the longest message without escapes, and the JSON around
/// it.
const MAX_BODY_BYTES: usize = MAX_MESSAGE_BYTES + 1024;

struct Component;

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        match respond_to(&request) {
            Ok(result) => respond(out, 200, "application/json", None, &result),
            Err(problem) => respond(
                out,
                problem.status(),
                "application/problem+json",
                problem.allowed_method(),
                &problem.to_json(),
            ),
        }
    }
}

/// Computes the response body for one request.
fn respond_to(request: &IncomingRequest) -> Result<Vec<u8>, Problem> {
    let target = request.path_with_query().unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let transform = match path {
        "/encrypt" => cipher::encrypt,
        "/decrypt" => cipher::decrypt,
        _ => return Err(Problem::not_found(path)),
    };
    if !matches!(request.method(), Method::Post) {
        return Err(Problem::method_not_allowed(path));
    }

    let headers = request.headers();
    check_content_type(&headers)?;
    let body = read_body(request, declared_length(&headers))?;
    let message = message::parse(&body).map_err(|error| Problem::bad_request(&error))?;
    if message.len() > MAX_MESSAGE_BYTES {
        return Err(too_large());
    }

    match transform(&message) {
        Ok(result) => Ok(message::render(&result)),
        Err(cipher::Error::Misconfigured(why)) => Err(Problem::misconfigured(why)),
        Err(cipher::Error::Unaudited(why)) => Err(Problem::unaudited(&why)),
    }
}

/// Accepts JSON, with or without parameters, and requests without a content type.
fn check_content_type(headers: &Fields) -> Result<(), Problem> {
    for value in headers.get("content-type") {
        let value = String::from_utf8_lossy(&value);
        let media_type = value.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Problem::unsupported_media_type(media_type));
        }
    }
    Ok(())
}

/// The length of the body in bytes, if the request declares it.
fn declared_length(headers: &Fields) -> Option<usize> {
    let values = headers.get("content-length");
    core::str::from_utf8(values.first()?).ok()?.parse().ok()
}

fn too_large() -> Problem {
    Problem::too_large(MAX_MESSAGE_BYTES, MAX_BODY_BYTES)
}

/// Reads the body, up to one byte beyond the limit.
fn read_body(request: &IncomingRequest, declared: Option<usize>) -> Result<Vec<u8>, Problem> {
    if declared.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(too_large());
    }
    let Ok(body) = request.consume() else {
        return Err(Problem::bad_request(&"the body cannot be read"));
    };
    let Ok(stream) = body.stream() else {
        return Err(Problem::bad_request(&"the body cannot be read"));
    };
    match stream::read_to_end(&stream, declared, MAX_BODY_BYTES) {
        Ok(bytes) => Ok(bytes),
        Err(stream::ReadError::TooLong) => Err(too_large()),
        Err(stream::ReadError::Aborted(why)) => Err(Problem::bad_request(&format!(
            "the body ended before it was complete: {why}"
        ))),
    }
}

/// Sends one complete response.
fn respond(
    out: ResponseOutparam,
    status: u16,
    content_type: &str,
    allow: Option<&str>,
    body: &[u8],
) {
    let text = |value: &str| value.as_bytes().to_vec();
    let mut entries = vec![
        ("content-type".to_owned(), text(content_type)),
        (
            "content-length".to_owned(),
            text(&format!("{}", body.len())),
        ),
    ];
    if let Some(method) = allow {
        entries.push(("allow".to_owned(), text(method)));
    }
    // These calls do not fail: the names are valid and not forbidden, and the body is taken
    // once.
    let headers = Fields::from_list(&entries).expect("these headers are valid");
    let response = OutgoingResponse::new(headers); // its status is 200
    if status != 200 {
        response.set_status_code(status).expect("a valid status");
    }
    let outgoing = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));

    let stream = outgoing.write().expect("the stream is taken once");
    // The client has disconnected if this fails; the host handles that.
    if stream::write_all(&stream, body).is_ok() {
        drop(stream);
        let _ = OutgoingBody::finish(outgoing, None);
    }
}
