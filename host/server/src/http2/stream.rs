//! One stream: a request and its response.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;

use crate::connection_state::ConnectionState;
use crate::handler;
use crate::handler::context::WorkerContext;
use crate::handler::http2_body::StreamBody;
use crate::handler::incoming::Incoming;
use crate::handler::response::ResponseBody;

/// Fields that HTTP/2 responses must not have (RFC 9113, section 8.2.2).
const CONNECTION_FIELDS: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Serves the request of one stream. Ends early, and with it the guest, if the client resets the
/// stream.
pub(super) async fn serve(
    request: Request<RecvStream>,
    mut reply: SendResponse<Bytes>,
    state: Rc<ConnectionState>,
    shared: Rc<WorkerContext>,
) {
    let Some(response) = respond(request, &mut reply, state, shared).await else {
        return;
    };
    let (head, body) = response.into_parts();
    let mut head = Response::from_parts(head, ());
    complete(head.headers_mut(), &body);
    let is_whole = body.is_end_stream();
    match reply.send_response(head, is_whole) {
        Ok(_) if is_whole => {}
        Ok(stream) => send(body, stream).await,
        Err(error) => {
            tracing::debug!("response not sent: {error}");
            reply.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

/// The response to a request. Sends 100 before it if the client waits for that and the server
/// starts to wait for the body. None if the client has reset the stream.
async fn respond(
    request: Request<RecvStream>,
    reply: &mut SendResponse<Bytes>,
    state: Rc<ConnectionState>,
    shared: Rc<WorkerContext>,
) -> Option<Response<ResponseBody>> {
    let (head, content) = request.into_parts();
    let (body, mut awaited) = StreamBody::new(content, &head.headers);
    let request = Request::from_parts(head, Incoming::Http2(body));
    let mut response = pin!(handler::handle(request, state, shared));
    poll_fn(|cx| {
        if let Poll::Ready(Ok(response)) = response.as_mut().poll(cx) {
            return Poll::Ready(Some(response));
        }
        if reply.poll_reset(cx).is_ready() {
            return Poll::Ready(None);
        }
        if let Some(begins) = &mut awaited
            && let Poll::Ready(begins) = Pin::new(begins).poll(cx)
        {
            awaited = None;
            if begins.is_ok() {
                let mut head = Response::new(());
                *head.status_mut() = StatusCode::CONTINUE;
                // Fails where the response itself will.
                let _ = reply.send_informational(head);
            }
        }
        Poll::Pending
    })
    .await
}

/// Removes fields that HTTP/2 must not have, and adds the length of a body without one.
fn complete(headers: &mut HeaderMap, body: &ResponseBody) {
    for field in CONNECTION_FIELDS {
        headers.remove(field);
    }
    if !body.is_end_stream()
        && let Some(length) = body.size_hint().exact()
    {
        headers
            .entry(CONTENT_LENGTH)
            .or_insert_with(|| length.into());
    }
}

/// Sends a body, as fast as the client receives it.
async fn send(mut body: ResponseBody, mut stream: SendStream<Bytes>) {
    loop {
        let frame = poll_fn(|cx| {
            if stream.poll_reset(cx).is_ready() {
                return Poll::Ready(None);
            }
            Pin::new(&mut body).poll_frame(cx).map(Some)
        });
        let frame = match frame.await {
            Some(Some(Ok(frame))) => frame,
            Some(Some(Err(_broken))) => return stream.send_reset(Reason::INTERNAL_ERROR),
            Some(None) => {
                let _ = stream.send_data(Bytes::new(), true);
                return;
            }
            None => return,
        };
        match frame.into_data() {
            Ok(data) => {
                let is_last = body.is_end_stream();
                if !data.is_empty() && !takes_more(&mut stream).await {
                    return;
                }
                if stream.send_data(data, is_last).is_err() || is_last {
                    return;
                }
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    let _ = stream.send_trailers(trailers);
                    return;
                }
            }
        }
    }
}

/// Waits until the client has room for more. Returns false if it has reset the stream. Reserves
/// only a byte, because all streams share the window of the connection; `h2` keeps what does not
/// fit, which is one piece at most.
async fn takes_more(stream: &mut SendStream<Bytes>) -> bool {
    stream.reserve_capacity(1);
    poll_fn(|cx| {
        loop {
            if stream.poll_reset(cx).is_ready() {
                return Poll::Ready(false);
            }
            if stream.capacity() > 0 {
                return Poll::Ready(true);
            }
            if !matches!(ready!(stream.poll_capacity(cx)), Some(Ok(_))) {
                return Poll::Ready(false);
            }
        }
    })
    .await
}
