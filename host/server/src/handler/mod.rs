//! One request, from its head to the head of its response.
//!
//! - `router.rs`: the function of a request, as one worker serves it; `context.rs`: the state that
//!   requests share.
//! - `incoming.rs`, `request_body.rs`: the body of the request; `http2_head.rs`, `http2_body.rs`: what
//!   HTTP/2 needs in addition; `chunks.rs`: joined pieces of bodies.
//! - `admitted.rs`: what a request holds while its guest works; `guest_task.rs`: a guest at work, on its
//!   worker or offloaded; `next.rs`: the next handler of a middleware.
//! - `response.rs`, `response_stream.rs`, `streaming_guest.rs`: the response before and after its
//!   head is sent, and the guest after that.
//! - `guest_error.rs`: reports of failed guests; `problem.rs`: responses of the server itself.
//! - `date.rs`: the field `date`.

pub(crate) mod admitted;
pub(crate) mod chunks;
pub(crate) mod context;
pub(crate) mod date;
pub(crate) mod guest_error;
pub(crate) mod guest_task;
pub(crate) mod http2_body;
pub(crate) mod http2_head;
pub(crate) mod incoming;
pub(crate) mod next;
pub(crate) mod problem;
pub(crate) mod request_body;
pub(crate) mod response;
pub(crate) mod response_stream;
pub(crate) mod router;
pub(crate) mod streaming_guest;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use functions::{Function, without_prefix};
use http::header::{CONNECTION, DATE, HOST, HeaderName, HeaderValue, SERVER};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use http1_strict::HIDDEN_UPGRADE;
use hyper::ext::ReasonPhrase;
use telemetry::{REQUEST_ID, Rejection, RequestInfo, RequestTelemetry};
use tokio::time::{Instant, timeout_at};

use crate::connection_state::ConnectionState;
use crate::handler::admitted::{Admitted, out_of_memory};
use crate::handler::context::WorkerContext;
use crate::handler::guest_error::GuestError;
use crate::handler::incoming::Incoming;
use crate::handler::request_body::RequestBody;
use crate::handler::response::ResponseBody;
use crate::handler::router::ServedFunction;
use crate::settings::Settings;

/// The field for the part of the path that the guest does not see.
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The context of one request.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) request: Arc<RequestInfo>,
    pub(crate) shared: Rc<WorkerContext>,
    pub(crate) served: Rc<ServedFunction>,
    pub(crate) state: Rc<ConnectionState>,
}

impl Context {
    /// The context of the next handler of a middleware, with an account of CPU time of its own.
    fn for_next(&self, next: &Rc<ServedFunction>) -> Self {
        Self {
            request: Arc::new(self.request.for_next()),
            shared: self.shared.clone(),
            served: next.clone(),
            state: self.state.clone(),
        }
    }
}

/// Handles one request. Never fails: there is a response in each case.
pub(crate) async fn handle(
    mut request: Request<Incoming>,
    state: Rc<ConnectionState>,
    shared: Rc<WorkerContext>,
) -> Result<Response<ResponseBody>, Infallible> {
    let in_flight = state.begin();
    let version = request.version();
    let is_head = request.method() == Method::HEAD;
    request.headers_mut().remove(HIDDEN_UPGRADE);
    if version == Version::HTTP_2 {
        http2_head::join_cookies(request.headers_mut());
    } else {
        name_path(&mut request);
    }
    if version == Version::HTTP_10 {
        name_host(&mut request, state.connect_info.local);
    }
    let principal = shared.settings.principal_header.as_ref();
    let mut info = RequestInfo::new(&request, state.connect_info.peer, principal);
    let served = match state.rejection() {
        // In the place of an invalid request, the strict stream has put a substitute, of which only
        // the rejection counts.
        Some(rejection) => Err(Unserved::Unreadable(rejection)),
        None => shared.router.find(&request).map_err(Unserved::Unrouted),
    };
    let for_client = |response| {
        if is_head {
            problem::only_head(response)
        } else {
            response
        }
    };
    let (mut response, request_telemetry) = match &served {
        Ok(served) => {
            let function = &served.function;
            if function.route().is_some() {
                info.set_function(served.telemetry.clone());
            }
            let context = Context {
                request: Arc::new(info),
                shared: shared.clone(),
                served: served.clone(),
                state: state.clone(),
            };
            let is_tls = state.connect_info.is_tls;
            let request_telemetry =
                served
                    .telemetry
                    .start_request(&request, &context.request, is_tls);
            if let Some(pace) = &served.pace {
                state.start(pace).await;
            }
            let mut response = match answer(request, &context).await {
                Ok(response) => response,
                Err(failure) => for_client(failure.report(&context).await),
            };
            name_request(response.headers_mut(), &context.request);
            (response, Some(request_telemetry))
        }
        Err(unserved) => {
            shared.unrouted_pace.next().await;
            let (response, request_telemetry) =
                reject_unserved(*unserved, &request, info, &state, &shared);
            (for_client(response), request_telemetry)
        }
    };
    finish_head(response.headers_mut(), &state, &shared.settings, version);
    if version == Version::HTTP_10 && response.body().is_open_ended() {
        state.set_ends_response();
    }
    let status = response.status();
    if status.canonical_reason().is_none() {
        // hyper would send `<none>`.
        let reason = ReasonPhrase::from_static(b"");
        response.extensions_mut().insert(reason);
    }
    response
        .body_mut()
        .begin(in_flight, status, request_telemetry);
    Ok(response)
}

/// Why a request has no function.
#[derive(Clone, Copy)]
enum Unserved {
    /// The strict stream rejected it, and hyper read a substitute.
    Unreadable(Rejection),
    /// No function has a matching route.
    Unrouted(Rejection),
}

/// Answers a request without a function.
fn reject_unserved(
    unserved: Unserved,
    request: &Request<Incoming>,
    info: RequestInfo,
    state: &ConnectionState,
    shared: &WorkerContext,
) -> (Response<ResponseBody>, Option<RequestTelemetry>) {
    let info = Arc::new(info);
    let connect_info = &state.connect_info;
    let (rejection, request_telemetry) = match unserved {
        Unserved::Unreadable(rejection) => {
            let (status, _) = rejection.response();
            let id = info.id().to_string();
            shared
                .telemetry
                .log_unparsed(status, connect_info.peer, &id);
            (rejection, None)
        }
        Unserved::Unrouted(rejection) => {
            let is_http2 = request.version() == Version::HTTP_2;
            let checked =
                is_http2.then(|| http2_head::check_head(request, &shared.settings.connections));
            let rejection = checked
                .and_then(Result::err)
                .map_or(rejection, Rejection::from);
            (
                rejection,
                Some(
                    shared
                        .unrouted
                        .start_request(request, &info, connect_info.is_tls),
                ),
            )
        }
    };
    let mut response = guest_error::reject(rejection, &info, &shared.telemetry);
    name_request(response.headers_mut(), &info);
    (response, request_telemetry)
}

/// Adds the address of the listener as the host of an HTTP/1.0 request, which need not have one;
/// that of a Unix socket is this machine.
fn name_host(request: &mut Request<Incoming>, local: Option<SocketAddr>) {
    if request.uri().authority().is_some() || request.headers().contains_key(HOST) {
        return;
    }
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(http::uri::Scheme::HTTP);
    parts.authority = match local {
        Some(local) => local.to_string().parse().ok(),
        None => Some(Authority::from_static("localhost")),
    };
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

/// Writes the path `/` into a target with an empty one, such as `http://h?q` (RFC 9110, section
/// 4.2.3).
fn name_path<B>(request: &mut Request<B>) {
    let target = request.uri().path_and_query();
    let Some(query) = target
        .map(PathAndQuery::as_str)
        .filter(|target| target.starts_with('?'))
    else {
        return;
    };
    let target = format!("/{query}").parse();
    let mut parts = request.uri().clone().into_parts();
    if let Ok(target) = target {
        parts.path_and_query = Some(target);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

/// Adds the request id to a response.
fn name_request(headers: &mut HeaderMap, request: &RequestInfo) {
    headers.insert(REQUEST_ID, request.id().to_header());
}

/// Adds the fields of the server to the head of a response.
fn finish_head(
    headers: &mut HeaderMap,
    state: &ConnectionState,
    settings: &Settings,
    version: Version,
) {
    if !headers.contains_key(DATE)
        && let Some(date) = date::now()
    {
        headers.insert(DATE, date);
    }
    if settings.send_server_header && !headers.contains_key(SERVER) {
        headers.insert(SERVER, HeaderValue::from_static("component-runner"));
    }
    let max_requests = settings.connections.max_requests;
    let is_last = state.is_ending() || state.begun() >= u64::from(max_requests.get());
    if is_last && version < Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    } else if is_last {
        state.end();
    }
}

/// Lets a guest respond.
async fn answer(
    request: Request<Incoming>,
    context: &Context,
) -> Result<Response<ResponseBody>, GuestError> {
    let settings = &context.shared.settings;
    let function = &context.served.function;
    if function.is_paused() {
        return Err(GuestError::Rejected(Rejection::Paused));
    }
    // The strict stream has checked heads of HTTP/1.
    if request.version() == Version::HTTP_2 {
        http2_head::check_head(&request, &settings.connections).map_err(Rejection::from)?;
    }
    context.request.check_principal()?;
    if context.shared.memory.is_exceeded() {
        return Err(out_of_memory(context));
    }
    let is_head = request.method() == Method::HEAD;
    let (mut parts, body) = request.into_parts();
    if function.route().is_some() {
        take_prefix(&mut parts, function);
    }
    let body = RequestBody::read_ahead(body, settings.bodies, context).await?;
    let admitted = Admitted::wait(context, None).await?;
    let deadline = Instant::now() + function.settings().request_timeout;
    let request = Request::from_parts(parts, body);
    let is_tls = context.state.connect_info.is_tls;
    let (running, head) = admitted.start(request, is_tls, context)?;
    let responding = response::take(running, head, is_head, context);
    let response = timeout_at(deadline, responding).await;
    // An invalid body is the reason for the guest's failure as well.
    let broken = context.state.broken_body();
    if let Some(rejection) = context.request.body_rejection().or(broken) {
        return Err(GuestError::Rejected(rejection));
    }
    response.unwrap_or(Err(GuestError::TimedOut))
}

/// Strips the prefix of the route from the path, and passes it to the guest in a field of its own.
/// A field of that name from the client is removed.
fn take_prefix(parts: &mut Parts, function: &Function) {
    parts.headers.remove(FORWARDED_PREFIX);
    let Some((route, prefix)) = function.route().zip(function.prefix()) else {
        return;
    };
    if let Some(uri) = without_prefix(&parts.uri, route.prefix()) {
        parts.uri = uri;
        parts.headers.insert(FORWARDED_PREFIX, prefix.clone());
    }
}
