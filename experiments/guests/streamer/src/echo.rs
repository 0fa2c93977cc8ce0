//! The request body, sent back while it is received.

use alloc::vec::Vec;

use guest_kit::bindings::wasi::http0_3_0::types::{Request, Response};
use guest_kit::bindings::wit_future;
use guest_kit::complete::header;
use guest_kit::service;
use wit_bindgen::StreamResult;

/// Maximum number of bytes of one read, and so of the memory for any body.
const CHUNK_BYTES: usize = 64 * 1024;

/// A response with the body of `request`. Each chunk is sent back before the next is read, so that
/// a client may wait for it.
pub(crate) fn respond(request: Request) -> Response {
    let (response, mut body) =
        service::start(200, &[header("content-type", "application/octet-stream")]);
    // Dropping the writer sends the default: the request is handled without an error.
    let (_, handled) = wit_future::new(|| Ok(()));
    let (mut received, end) = Request::consume_body(request, handled);
    wit_bindgen::spawn_local(async move {
        loop {
            let (result, chunk) = received.read(Vec::with_capacity(CHUNK_BYTES)).await;
            let rest = body.stream.write_all(chunk).await;
            if !rest.is_empty() {
                // The client has disconnected.
                return;
            }
            if result == StreamResult::Dropped {
                break;
            }
        }
        drop(body.stream);
        // Trailers are sent back, and an incomplete request makes an incomplete response.
        let _ = body.end.write(end.await).await;
    });
    response
}
