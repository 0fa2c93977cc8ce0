//! Complete HTTP responses.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use crate::bindings::wasi::http0_2_12::types::{
    Fields, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use crate::problem::Problem;

/// Maximum number of bytes of one blocking write in WASI.
const MAX_WRITE_BYTES: usize = 4096;

/// Responds with text.
pub fn respond_with_text(out: ResponseOutparam, text: &str) {
    respond(out, 200, "text/plain; charset=utf-8", None, text.as_bytes());
}

/// Responds with a problem document.
pub fn respond_with_problem(out: ResponseOutparam, problem: &Problem) {
    respond(
        out,
        problem.status(),
        "application/problem+json",
        problem.challenge(),
        &problem.to_json(),
    );
}

fn respond(
    out: ResponseOutparam,
    status: u16,
    content_type: &str,
    challenge: Option<&str>,
    body: &[u8],
) {
    let length = body.len().to_string();
    let mut entries = vec![("content-type", content_type), ("content-length", &length)];
    entries.extend(challenge.map(|scheme| ("www-authenticate", scheme)));
    let entries: Vec<_> = entries
        .into_iter()
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    // These calls do not fail: the names are valid and not forbidden, and the body is taken
    // once.
    let headers = Fields::from_list(&entries).expect("these headers are valid");
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("a valid status");
    let outgoing = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));

    let stream = outgoing.write().expect("the stream is taken once");
    for part in body.chunks(MAX_WRITE_BYTES) {
        // The client has disconnected if this fails; the host handles that.
        if stream.blocking_write_and_flush(part).is_err() {
            return;
        }
    }
    drop(stream);
    let _ = OutgoingBody::finish(outgoing, None);
}
