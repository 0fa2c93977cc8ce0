//! Complete bodies from and to streams of the component model.

use alloc::format;
use alloc::vec::Vec;

use cipher_http::{Body, Problem};
use wit_bindgen::{FutureReader, StreamReader, StreamResult};

use crate::bindings::wasi::http0_3_0::types::{ErrorCode, Request, Trailers};
use crate::bindings::{wit_future, wit_stream};

/// What follows the stream of a body: the end of the message, or why the body is incomplete.
type End = Result<Option<Trailers>, ErrorCode>;

/// Reads the stream of a request to the end of the body.
pub(crate) async fn read_to_end(request: Request, mut body: Body) -> Result<Vec<u8>, Problem> {
    // Dropping the writer sends the default: the request is handled without an error.
    let (_, handled) = wit_future::new(|| Ok(()));
    let (mut stream, end) = Request::consume_body(request, handled);
    while let Some(size) = body.next_read() {
        let (result, chunk) = stream.read(Vec::with_capacity(size)).await;
        body.push(chunk)?;
        if result == StreamResult::Dropped {
            // Only this future says whether the stream ended with the body.
            let end: End = end.await;
            end.map_err(|code| Body::incomplete(&format!("{code:?}")))?;
            break;
        }
    }
    Ok(body.into_bytes())
}

/// Starts a task that writes all of `bytes`, with backpressure, and returns the stream that it
/// writes to, with the future of the trailers, of which there are none.
///
/// The host reads the stream only after the handler has returned the response.
pub(crate) fn write_all(bytes: Vec<u8>) -> (StreamReader<u8>, FutureReader<End>) {
    let (mut writer, reader) = wit_stream::new();
    // Dropping the writer sends the default.
    let (_, trailers) = wit_future::new(|| Ok(None));
    wit_bindgen::spawn_local(async move {
        // Bytes remain if the client has disconnected; the host handles that.
        let _ = writer.write_all(bytes).await;
    });
    (reader, trailers)
}
