//! The response, from the guest to the client.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use engine::{ResponseHead, has_no_body};
use http::header::{CONTENT_LENGTH, HeaderName, TRAILER};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use telemetry::RequestTelemetry;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::connection_state::InFlight;
use crate::handler::guest_error::GuestError;
use crate::handler::guest_task::GuestTask;
use crate::handler::response_stream::{Broken, Length, Stream};
use crate::handler::streaming_guest::finish;
use crate::handler::{Context as RequestContext, chunks};

/// The response that a guest has set, or the error.
type Head = Result<Response<HyperOutgoingBody>, String>;

/// The body of a response.
pub(crate) struct ResponseBody {
    content: Content,
    in_flight: Option<InFlight>,
    request_telemetry: Option<RequestTelemetry>,
}

enum Content {
    /// The body is complete, and the instance gone.
    Whole(Bytes, Option<HeaderMap>),
    /// A guest still writes it.
    Stream(Box<Stream>),
}

/// Runs a guest until its response is complete, exceeds the buffer, or waits for the guest. Only in
/// the last two cases does the guest still have its instance when the client gets the head.
pub(crate) async fn take(
    mut running: GuestTask,
    head: ResponseHead,
    is_head: bool,
    context: &RequestContext,
) -> Result<Response<ResponseBody>, GuestError> {
    let (head, result) = run_until_head(&mut running, head).await?;
    let is_done = result.is_some();
    if let Some(Err(error)) = result {
        let failure = GuestError::of_guest(error);
        // Nothing was sent yet, so the response can still be an error, except for HEAD, where the
        // head is the whole response: frameworks write no body for HEAD, and trap where they finish
        // one that is shorter than its `content-length`.
        if !head
            .as_ref()
            .is_ok_and(|head| has_no_body(head.status(), is_head))
        {
            return Err(failure);
        }
        // Fails only if the server ends.
        let _ = failure
            .report_in_background(context, "guest failed after responding")
            .await;
    }
    // An unaudited request must not look successful to its client.
    if context.request.is_audit_unavailable() {
        return Err(GuestError::AuditUnavailable);
    }
    let head = head.map_err(GuestError::ErrorResponse)?;
    let has_no_body = has_no_body(head.status(), is_head);
    let (mut head, body) = head.into_parts();
    if head.status.is_informational() {
        let why = format!("{} is not a final status", head.status.as_u16());
        return Err(GuestError::Aborted(why));
    }
    remove_length(&mut head);
    // The body is not sent, so it is not waited for.
    if has_no_body {
        if !is_done {
            finish(running, context.clone());
        }
        return Ok(Response::from_parts(
            head,
            ResponseBody::whole(Bytes::new(), None),
        ));
    }
    let mut taking = BufferedResponse {
        running: (!is_done).then_some(running),
        body,
        first: Bytes::new(),
        more: BytesMut::new(),
        trailers: None,
    };
    let limits = context.shared.settings.bodies;
    let is_whole = poll_fn(|cx| taking.poll(cx, limits.buffered_bytes)).await?;
    if context.request.is_audit_unavailable() {
        return Err(GuestError::AuditUnavailable);
    }
    let BufferedResponse {
        running,
        body,
        first,
        more,
        trailers,
    } = taking;
    let begun = chunks::join(first, &more);
    if begun.len() as u64 > limits.max_response_bytes {
        return Err(GuestError::TooLarge);
    }
    Length::of(&head.headers).check(begun.len() as u64, is_whole)?;
    if is_whole {
        name_trailers(&mut head.headers, trailers.as_ref());
        if let Some(running) = running {
            finish(running, context.clone());
        }
        return Ok(Response::from_parts(
            head,
            ResponseBody::whole(begun, trailers),
        ));
    }
    let stream = Stream::new(begun, body, &head.headers, running, context);
    Ok(Response::from_parts(
        head,
        ResponseBody::of(Content::Stream(Box::new(stream))),
    ))
}

/// Names the trailers in the head, unless the guest has done so: HTTP/1.1 sends only named ones
/// (RFC 9110, section 6.6.2).
fn name_trailers(headers: &mut HeaderMap, trailers: Option<&HeaderMap>) {
    let trailers = trailers.filter(|trailers| !trailers.is_empty());
    if let Some(trailers) = trailers.filter(|_| !headers.contains_key(TRAILER))
        && let Ok(names) = names(trailers).try_into()
    {
        headers.insert(TRAILER, names);
    }
}

/// The names of fields, as a list.
pub(crate) fn names(fields: &HeaderMap) -> String {
    let names: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
    names.join(", ")
}

/// Removes `content-length` from a head that must not have one: of 204 (RFC 9110, section 8.6), and
/// of 205, which has no content either (section 15.3.6). That of 304 is the length of another
/// response, and stays.
fn remove_length(head: &mut Parts) {
    if matches!(
        head.status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT
    ) {
        head.headers.remove(CONTENT_LENGTH);
    }
}

/// Runs `guest` until it has set its response. Returns that, and the result of the guest if it has
/// ended.
async fn run_until_head(
    guest: &mut GuestTask,
    mut head: ResponseHead,
) -> Result<(Head, Option<wasmtime::Result<()>>), GuestError> {
    let (result, head) = poll_fn(|cx| {
        let result = match Pin::new(&mut *guest).poll(cx) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        };
        match head.poll(cx) {
            Poll::Ready(head) => Poll::Ready((result, head)),
            Poll::Pending if result.is_some() => Poll::Ready((result, None)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    match (result, head) {
        (result, Some(head)) => Ok((head, result)),
        (Some(Err(error)), None) => Err(GuestError::of_guest(error)),
        (_, None) => Err(GuestError::NoResponse),
    }
}

/// A body that is buffered from its guest.
struct BufferedResponse {
    running: Option<GuestTask>,
    body: HyperOutgoingBody,
    first: Bytes,
    more: BytesMut,
    trailers: Option<HeaderMap>,
}

impl BufferedResponse {
    /// Buffers what the guest has written. Returns whether that is all.
    fn poll(&mut self, cx: &mut Context<'_>, max_bytes: usize) -> Poll<Result<bool, GuestError>> {
        while self.first.len() + self.more.len() <= max_bytes {
            self.poll_guest(cx)?;
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => self.add(frame),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(GuestError::of_body(&error)));
                }
                Poll::Ready(None) => {
                    // A guest of WASI 0.3 ends after its body, and its instance with it.
                    self.poll_guest(cx)?;
                    return Poll::Ready(Ok(true));
                }
                // The guest waits; the client gets what there is.
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(false))
    }

    /// Runs the guest.
    fn poll_guest(&mut self, cx: &mut Context<'_>) -> Result<(), GuestError> {
        if let Some(running) = &mut self.running
            && let Poll::Ready(result) = running.poll_work(cx)
        {
            self.running = None;
            result.map_err(GuestError::of_guest)?;
        }
        Ok(())
    }

    fn add(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(data) if self.first.is_empty() => self.first = data,
            Ok(data) => self.more.extend_from_slice(&data),
            Err(frame) => self.trailers = frame.into_trailers().ok(),
        }
    }
}

impl ResponseBody {
    fn of(content: Content) -> Self {
        Self {
            content,
            in_flight: None,
            request_telemetry: None,
        }
    }

    /// A complete body.
    pub(crate) fn whole(bytes: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self::of(Content::Whole(bytes, trailers))
    }

    /// Whether only the end of the connection marks its end, for HTTP/1.0.
    pub(crate) fn is_open_ended(&self) -> bool {
        match &self.content {
            // A body with trailers has no length.
            Content::Whole(_, trailers) => trailers.is_some(),
            Content::Stream(stream) => !stream.has_length(),
        }
    }

    /// From now on the response waits for the client. The request ends when the body is dropped.
    pub(crate) fn begin(
        &mut self,
        mut in_flight: InFlight,
        status: StatusCode,
        mut request_telemetry: Option<RequestTelemetry>,
    ) {
        in_flight.respond();
        self.in_flight = Some(in_flight);
        if let Some(request_telemetry) = &mut request_telemetry {
            request_telemetry.set_status(status);
        }
        self.request_telemetry = request_telemetry;
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = match &mut self.content {
            Content::Whole(bytes, trailers) => Poll::Ready(if bytes.is_empty() {
                trailers
                    .take()
                    .map(|trailers| Ok(Frame::trailers(trailers)))
            } else {
                Some(Ok(Frame::data(std::mem::take(bytes))))
            }),
            Content::Stream(stream) => stream.poll_frame(cx),
        };
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.set_handed_out(frame.is_ready());
        }
        if let (Some(request_telemetry), Poll::Ready(Some(Ok(frame)))) =
            (&mut self.request_telemetry, &frame)
        {
            request_telemetry.add_sent_bytes(frame.data_ref().map_or(0, Bytes::len));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes, trailers) => bytes.is_empty() && trailers.is_none(),
            Content::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes, None) => SizeHint::with_exact(bytes.len() as u64),
            // With a length there would be no trailers.
            Content::Whole(..) => SizeHint::default(),
            Content::Stream(stream) => stream.size_hint(),
        }
    }
}
