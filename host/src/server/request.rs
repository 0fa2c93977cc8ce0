//! One request, in its instance.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::HOST;
use http::{Method, Request, Response, Uri, Version};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::body::{RequestBody, ResponseBody};
use super::failure::Failure;
use super::instances::Instances;
use super::socket::Ends;
use super::worker::Shared;
use crate::RequestInfo;

/// A guest at work. It holds its instance and its place among them, and gives
/// both back when it is done or dropped.
pub(super) type Guest = Pin<Box<dyn Future<Output = wasmtime::Result<()>>>>;

/// A guest that has set its response and goes on.
pub(super) struct Running {
    pub(super) work: Guest,
    pub(super) context: Context,
}

/// What is known where a guest is at work.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) request: Arc<RequestInfo>,
    pub(super) instances: Rc<Instances>,
    /// How long the guest may take until the head of its response is there, and
    /// how long it may go on when nobody waits for it any more.
    pub(super) limit: Duration,
}

impl Running {
    /// Lets the guest finish what it does after its response, such as leaving a
    /// record.
    pub(super) fn finish(self) {
        let Self { work, context } = self;
        tokio::task::spawn_local(async move {
            let failure = match timeout(context.limit, work).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => Failure::Trapped(error),
                Err(_) => Failure::TimedOut,
            };
            failure
                .note(&context, "guest failed after responding")
                .await;
        });
    }
}

/// What a guest hands over when it sets its response.
type Head = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// Answers one request. Whatever happens, there is a response.
pub(super) async fn handle(
    mut request: Request<Incoming>,
    ends: Ends,
    shared: Rc<Shared>,
) -> Result<Response<ResponseBody>, Infallible> {
    if request.version() == Version::HTTP_10 {
        name_host(&mut request, ends.local);
    }
    let settings = &shared.settings;
    let info = RequestInfo::new(&request, ends.peer, settings.principal_header.as_ref());
    let context = Context {
        request: Arc::new(info),
        instances: shared.instances.clone(),
        limit: settings.request_timeout,
    };
    let response = match timeout(context.limit, respond(request, &context)).await {
        Ok(Ok(response)) => response,
        Ok(Err(failure)) => failure.report(&context).await,
        Err(_) => Failure::TimedOut.report(&context).await,
    };
    Ok(response)
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

/// Runs a guest until the head of its response is there.
async fn respond(
    request: Request<Incoming>,
    context: &Context,
) -> Result<Response<ResponseBody>, Failure> {
    let is_head = request.method() == Method::HEAD;
    let (guest, head) = start(request, context).await?;
    let (head, guest) = run_until_head(guest, head).await?;
    // Whatever the guest made of it, its client must not take this for done.
    if context.request.is_unaudited() {
        return Err(Failure::Unaudited);
    }
    let guest = guest.map(|work| Running {
        work,
        context: context.clone(),
    });
    let response = head.map_err(Failure::Refused)?;
    Ok(ResponseBody::from_guest(response, guest, is_head, context))
}

/// Waits for an instance for the request, and prepares the guest's work as a
/// future. Nothing of the guest runs before that is polled.
async fn start(
    request: Request<Incoming>,
    context: &Context,
) -> Result<(Guest, oneshot::Receiver<Head>), Failure> {
    let instances = &context.instances;
    let place = instances.place().await;
    let mut instance = instances.take(context.request.clone());
    let (sender, head) = oneshot::channel();
    let mut http = instance.store.data_mut().http();
    let request = http
        .new_incoming_request(Scheme::Http, request.map(RequestBody::new))
        .map_err(Failure::Unusable)?;
    let out = http
        .new_response_outparam(sender)
        .map_err(Failure::Trapped)?;

    let guest = instance.handle(place, instances.clone(), request, out);
    Ok((Box::pin(guest), head))
}

/// Runs `guest` until it has set its response. Returns that, and the guest if it
/// has more to do.
async fn run_until_head(
    mut guest: Guest,
    mut head: oneshot::Receiver<Head>,
) -> Result<(Head, Option<Guest>), Failure> {
    let mut result = None;
    poll_fn(|cx| {
        if let Poll::Ready(done) = guest.as_mut().poll(cx) {
            result = Some(done);
        }
        let has_head = !head.is_empty();
        if result.is_some() || has_head {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;

    match (result, head.try_recv()) {
        // Nothing has been sent yet, so the client can still be told.
        (Some(Err(error)), _) => Err(Failure::Trapped(error)),
        (Some(Ok(())), Ok(head)) => Ok((head, None)),
        (None, Ok(head)) => Ok((head, Some(guest))),
        (_, Err(_)) => Err(Failure::Silent),
    }
}
