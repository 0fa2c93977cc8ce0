//! Complete responses of WASI 0.2.

use crate::bindings::wasi::http0_2_12::types::{
    Fields, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use crate::complete::Complete;

/// Maximum number of bytes of one blocking write in WASI.
const MAX_WRITE_BYTES: usize = 4096;

/// Responds, and returns when the host has the whole body.
#[allow(
    clippy::missing_panics_doc,
    reason = "it never panics: the names are valid and not forbidden, and the body is taken once"
)]
pub fn respond(out: ResponseOutparam, complete: &Complete) {
    let headers = Fields::from_list(&complete.headers).expect("these headers are valid");
    let response = OutgoingResponse::new(headers);
    let status = complete.status;
    response.set_status_code(status).expect("a valid status");
    let outgoing = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));

    let stream = outgoing.write().expect("the stream is taken once");
    for part in complete.body.chunks(MAX_WRITE_BYTES) {
        // The client has disconnected if this fails; the host handles that.
        if stream.blocking_write_and_flush(part).is_err() {
            return;
        }
    }
    drop(stream);
    let _ = OutgoingBody::finish(outgoing, None);
}
