//! One request, in its instance.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::header::HOST;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::body::{RequestBody, ResponseBody};
use super::instances::Instances;
use super::problem;
use super::worker::Shared;
use crate::RequestId;

/// A guest at work. It holds its instance and its place among them, and gives
/// both back when it is done or dropped.
pub(super) type Guest = Pin<Box<dyn Future<Output = wasmtime::Result<()>>>>;

/// A guest that has set its response and goes on.
pub(super) struct Running {
    pub(super) work: Guest,
    request_id: RequestId,
    /// How long it may go on when nobody waits for it any more.
    limit: Duration,
}

impl Running {
    /// Lets the guest finish what it does after its response, such as leaving a
    /// record.
    pub(super) fn finish(self) {
        let Self {
            work,
            request_id,
            limit,
        } = self;
        tokio::task::spawn_local(async move {
            let cause = match timeout(limit, work).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => cause(&error),
                Err(_) => format!("not done after {} s", limit.as_secs_f64()),
            };
            tracing::error!(request = %request_id, %cause, "guest failed after responding");
        });
    }
}

/// Why a guest failed, for the log. The names of functions in it are the guest's
/// own words: they must not pass for lines of the log, or steer a terminal.
pub(super) fn cause(error: &wasmtime::Error) -> String {
    format!("{error:?}")
        .replace('\n', "\n  | ")
        .replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

/// What a guest hands over when it sets its response.
type Head = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// Answers one request that came to the address `local`. Whatever happens, there
/// is a response.
pub(super) async fn handle(
    mut request: Request<Incoming>,
    local: Option<SocketAddr>,
    shared: Rc<Shared>,
) -> Result<Response<ResponseBody>, Infallible> {
    if request.version() == Version::HTTP_10 {
        name_host(&mut request, local);
    }
    let request_id = RequestId::next();
    let limit = shared.settings.request_timeout;
    let response = match timeout(limit, respond(request, &shared, request_id)).await {
        Ok(Ok(response)) => response,
        Ok(Err(failure)) => failure.report(request_id),
        Err(_) => Failure::TimedOut.report(request_id),
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
    shared: &Shared,
    request_id: RequestId,
) -> Result<Response<ResponseBody>, Failure> {
    let is_head = request.method() == Method::HEAD;
    let (guest, head) = start(request, &shared.instances, request_id).await?;
    let (head, guest) = run_until_head(guest, head).await?;
    let guest = guest.map(|work| Running {
        work,
        request_id,
        limit: shared.settings.request_timeout,
    });
    let response = head.map_err(Failure::Refused)?;
    Ok(ResponseBody::from_guest(
        response, guest, is_head, request_id,
    ))
}

/// Waits for an instance for the request, and prepares the guest's work as a
/// future. Nothing of the guest runs before that is polled.
async fn start(
    request: Request<Incoming>,
    instances: &Rc<Instances>,
    request_id: RequestId,
) -> Result<(Guest, oneshot::Receiver<Head>), Failure> {
    let place = instances.place().await;
    let mut instance = instances.take(request_id);
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

/// Why a request gets no response from a guest.
enum Failure {
    /// The request cannot be given to a guest, because it names no host.
    Unusable(wasmtime::Error),
    /// The guest could not be started, or trapped.
    Trapped(wasmtime::Error),
    /// The guest returned without having set a response.
    Silent,
    /// The guest set an error instead of a response.
    Refused(ErrorCode),
    /// The guest did not set a response in time.
    TimedOut,
}

impl Failure {
    /// Writes the cause into the log, and makes a response that does not tell it.
    fn report(self, request_id: RequestId) -> Response<ResponseBody> {
        let log = |cause: &dyn Display| {
            tracing::error!(request = %request_id, %cause, "request failed");
        };
        let (status, detail) = match self {
            Self::Unusable(error) => {
                tracing::debug!(request = %request_id, "unusable request: {error:#}");
                (StatusCode::BAD_REQUEST, "the request names no valid host")
            }
            Self::Trapped(error) => {
                log(&cause(&error));
                (StatusCode::INTERNAL_SERVER_ERROR, "the guest failed")
            }
            Self::Silent => {
                log(&"guest returned without setting a response");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the guest did not answer",
                )
            }
            Self::Refused(error) => {
                log(&format_args!("guest set an error as its response: {error}"));
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the guest reported an error",
                )
            }
            Self::TimedOut => {
                log(&"guest did not set a response in time");
                (
                    StatusCode::GATEWAY_TIMEOUT,
                    "the guest did not answer in time",
                )
            }
        };
        problem::response(status, detail, request_id)
    }
}
