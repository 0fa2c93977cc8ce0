//! One request, from its head to the head of its response.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, SERVER};
use http::{Method, Request, Response, Uri, Version};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::admission::{Place, Turn};
use super::conversation::Conversation;
use super::failure::Failure;
use super::http2;
use super::refusal::Refusal;
use super::request_body::RequestBody;
use super::response::{self, ResponseBody};
use super::running::Running;
use super::settings::Settings;
use super::worker::Shared;
use crate::RequestInfo;
use crate::telemetry::Exchange;

/// Carries the request id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known where a request is answered.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) request: Arc<RequestInfo>,
    pub(super) shared: Rc<Shared>,
    pub(super) conversation: Rc<Conversation>,
}

/// What a guest hands over when it sets its response.
pub(super) type Head = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// Answers one request. Whatever happens, there is a response.
pub(super) async fn handle(
    mut request: Request<Incoming>,
    conversation: Rc<Conversation>,
    shared: Rc<Shared>,
) -> Result<Response<ResponseBody>, Infallible> {
    let in_flight = conversation.begin();
    let version = request.version();
    if version == Version::HTTP_10 {
        name_host(&mut request, conversation.ends.local);
    }
    let principal = shared.settings.principal_header.as_ref();
    let info = RequestInfo::new(&request, conversation.ends.peer, principal);
    let context = Context {
        request: Arc::new(info),
        shared,
        conversation,
    };
    let exchange = begin_exchange(&request, &context);
    let mut response = match answer(request, &context).await {
        Ok(response) => response,
        Err(failure) => failure.report(&context).await,
    };
    finish_head(&mut response, &context, version);
    let status = response.status();
    response.body_mut().begin(in_flight, status, exchange);
    Ok(response)
}

/// Begins to tell what becomes of a request. Where the gate has put one in the place of
/// something else, there is only that to tell.
fn begin_exchange(request: &Request<Incoming>, context: &Context) -> Option<Exchange> {
    let telemetry = &context.shared.telemetry;
    let ends = &context.conversation.ends;
    match context.conversation.refusal() {
        Some(refusal) => {
            let (status, _) = refusal.response();
            let id = context.request.id().to_string();
            telemetry.server().log_unreadable(status, ends.peer, &id);
            None
        }
        None => Some(telemetry.begin(request, &context.request, ends.is_tls)),
    }
}

/// Lets a request of HTTP/1.0, which need not say which host it is for, say that
/// it is for the address where it arrived.
fn name_host(request: &mut Request<Incoming>, local: Option<SocketAddr>) {
    if request.uri().authority().is_some() || request.headers().contains_key(HOST) {
        return;
    }
    let Some(local) = local else { return };
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(http::uri::Scheme::HTTP);
    parts.authority = local.to_string().parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

/// Adds what the server itself has to say to the head of every response.
fn finish_head(response: &mut Response<ResponseBody>, context: &Context, version: Version) {
    let Settings {
        names_itself,
        connections,
        ..
    } = &context.shared.settings;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&context.request.id().to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    if *names_itself && !headers.contains_key(SERVER) {
        headers.insert(SERVER, HeaderValue::from_static("component-runner"));
    }
    let is_last = context.conversation.is_ending()
        || context.conversation.begun() >= u64::from(connections.max_requests.get());
    if is_last && version < Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    } else if is_last {
        context.conversation.end();
    }
}

/// Lets a guest answer.
async fn answer(
    request: Request<Incoming>,
    context: &Context,
) -> Result<Response<ResponseBody>, Failure> {
    let Shared {
        settings,
        admission,
        ..
    } = &*context.shared;
    if let Some(refusal) = context.conversation.refusal() {
        return Err(Failure::Refused(refusal));
    }
    // The gate has looked at those of HTTP/1.1.
    if request.version() == Version::HTTP_2 {
        http2::check_head(&request, &settings.connections)?;
    }
    if context.shared.memory.is_over() {
        return Err(Failure::Refused(Refusal::OutOfMemory));
    }
    let is_head = request.method() == Method::HEAD;
    let (parts, body) = request.into_parts();
    let body = RequestBody::read_ahead(body, settings.bodies, context).await?;
    let (turn, place) = if let Some(admitted) = admission.admit_at_once() {
        admitted
    } else {
        let _queued = context.shared.telemetry.metrics().queued();
        admission.admit().await?
    };

    let deadline = Instant::now() + settings.request_timeout;
    let request = Request::from_parts(parts, body);
    let (running, head) = start(request, turn, place, context)?;
    let responding = response::take(running, head, is_head, deadline, context);
    let response = timeout_at(deadline, responding).await;
    // What was wrong with the body is the reason for whatever the guest made of it.
    let broken = context.conversation.broken_body();
    if let Some(refusal) = context.request.body_refusal().or(broken) {
        return Err(Failure::Refused(refusal));
    }
    response.unwrap_or(Err(Failure::TimedOut))
}

/// Prepares the guest's work as a future. Nothing of the guest runs before that is
/// polled.
fn start(
    request: Request<RequestBody>,
    turn: Turn,
    place: Place,
    context: &Context,
) -> Result<(Running, oneshot::Receiver<Head>), Failure> {
    let instances = &context.shared.instances;
    let mut instance = instances.take(context.request.clone(), place);
    let (sender, head) = oneshot::channel();
    let scheme = if context.conversation.ends.is_tls {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let mut http = instance.store.data_mut().http();
    let request = http
        .new_incoming_request(scheme, request)
        .map_err(Failure::Unusable)?;
    let out = http
        .new_response_outparam(sender)
        .map_err(Failure::Trapped)?;

    let guest = Box::pin(instance.handle(request, out));
    Ok((Running::new(guest, turn, context.clone()), head))
}
