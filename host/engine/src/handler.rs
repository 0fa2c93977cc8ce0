//! The HTTP handler of an instance: of WASI 0.2 or of WASI 0.3.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use telemetry::RequestId;
use tokio::sync::oneshot;
use wasmtime::component::{InstancePre, Resource};
use wasmtime::{Result, Store};
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme as IncomingScheme};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::p3;
use wasmtime_wasi_http::p3::bindings::{Service, ServicePre};
use wasmtime_wasi_http::{Error, WasiHttpView};

use crate::next::RequestReport;
use crate::outbound::ClientBody;
use crate::state::State;
use crate::wasi_version::WasiVersion;

/// A component ready for instantiation, by its handler.
pub(crate) enum HandlerPre {
    /// `wasi:http/incoming-handler@0.2`.
    Incoming(ProxyPre<State>),
    /// `wasi:http/handler@0.3`.
    Service(ServicePre<State>),
}

/// The handler of an instance.
pub enum Handler {
    /// `wasi:http/incoming-handler@0.2`.
    Incoming(Proxy),
    /// `wasi:http/handler@0.3`.
    Service(Service),
}

/// A request in a store, for the handler of its component.
pub enum Call {
    /// For `wasi:http/incoming-handler@0.2`.
    Incoming {
        /// The request.
        request: Resource<HostIncomingRequest>,
        /// Takes the response.
        out: Resource<HostResponseOutparam>,
    },
    /// For `wasi:http/handler@0.3`.
    Service {
        /// The request.
        request: Box<p3::Request>,
        /// Where the guest reports whether it could handle the request.
        report: Report,
        /// Whether it is a HEAD request.
        is_head: bool,
        /// Takes the response.
        out: oneshot::Sender<ServiceHead>,
    },
}

type ReportResult = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// What the guest reports about its request, with `consume-body`.
pub struct Report {
    /// None after its end.
    result: Option<ReportResult>,
    /// The middleware that has passed the request on.
    middleware: Option<RequestReport>,
}

/// What a handler of WASI 0.3 returns.
type ServiceHead = Result<Response<HyperOutgoingBody>, p3::bindings::http::types::ErrorCode>;

/// The response of a guest, once it has set one.
pub enum ResponseHead {
    /// Of `wasi:http/incoming-handler@0.2`.
    Incoming(oneshot::Receiver<Result<Response<HyperOutgoingBody>, ErrorCode>>),
    /// Of `wasi:http/handler@0.3`. None when the guest has ended without one.
    Service(Option<oneshot::Receiver<ServiceHead>>),
}

impl ResponseHead {
    /// Waits for the response, or for the error that the guest has set instead of one. None if the
    /// guest will set neither; for a guest of WASI 0.3, its result says that.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Response<HyperOutgoingBody>, String>>> {
        match self {
            Self::Incoming(head) => {
                let head = ready!(Pin::new(head).poll(cx)).ok();
                Poll::Ready(head.map(|head| head.map_err(|code| code.to_string())))
            }
            Self::Service(receiver) => {
                let Some(head) = receiver else {
                    return Poll::Pending;
                };
                if let Ok(head) = ready!(Pin::new(head).poll(cx)) {
                    return Poll::Ready(Some(head.map_err(|code| code.to_string())));
                }
                // It traps: an offload thread drops the sender before it reports the result.
                *receiver = None;
                Poll::Pending
            }
        }
    }
}

impl HandlerPre {
    pub(crate) fn new(pre: InstancePre<State>, wasi: WasiVersion) -> Result<Self> {
        Ok(match wasi {
            WasiVersion::V02 => Self::Incoming(ProxyPre::new(pre)?),
            WasiVersion::V03 => Self::Service(ServicePre::new(pre)?),
        })
    }

    pub(crate) fn instance_pre(&self) -> &InstancePre<State> {
        match self {
            Self::Incoming(pre) => pre.instance_pre(),
            Self::Service(pre) => pre.instance_pre(),
        }
    }

    pub(crate) fn engine(&self) -> &wasmtime::Engine {
        match self {
            Self::Incoming(pre) => pre.engine(),
            Self::Service(pre) => pre.engine(),
        }
    }

    pub(crate) async fn instantiate(&self, store: &mut Store<State>) -> Result<Handler> {
        Ok(match self {
            Self::Incoming(pre) => Handler::Incoming(pre.instantiate_async(store).await?),
            Self::Service(pre) => Handler::Service(pre.instantiate_async(store).await?),
        })
    }

    /// Puts a request into a store. `Err` if it names no valid host.
    pub(crate) fn call<B>(
        &self,
        store: &mut Store<State>,
        request: Request<B>,
        is_tls: bool,
    ) -> Result<(Call, ResponseHead)>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Error>,
    {
        let state = store.data_mut();
        match self {
            Self::Incoming(_) => {
                let scheme = if is_tls {
                    IncomingScheme::Https
                } else {
                    IncomingScheme::Http
                };
                let (sender, head) = oneshot::channel();
                let request = if state.next().is_set() {
                    let request = request.map(|body| state.next().share(body));
                    state.http().new_incoming_request(scheme, request)?
                } else {
                    state.http().new_incoming_request(scheme, request)?
                };
                let out = state.http().new_response_outparam(sender)?;
                let call = Call::Incoming { request, out };
                Ok((call, ResponseHead::Incoming(head)))
            }
            Self::Service(_) => {
                let is_head = request.method() == Method::HEAD;
                let mut request = with_authority(request, is_tls)?;
                let middleware = request.extensions_mut().remove();
                let request = request.map(ClientBody);
                let (request, result) = p3::Request::from_http(state.http().hooks, request);
                let report = Report {
                    result: Some(Box::pin(result)),
                    middleware,
                };
                let (out, head) = oneshot::channel();
                let request = Box::new(request);
                Ok((
                    Call::Service {
                        request,
                        report,
                        is_head,
                        out,
                    },
                    ResponseHead::Service(Some(head)),
                ))
            }
        }
    }
}

impl Handler {
    /// Lets the guest serve a request, to the end of its work after the response.
    ///
    /// # Errors
    ///
    /// Fails if the guest traps.
    ///
    /// # Panics
    ///
    /// Panics if the call was prepared for a component with another handler.
    pub async fn handle(&self, store: &mut Store<State>, call: Call) -> Result<()> {
        match (self, call) {
            (Self::Incoming(proxy), Call::Incoming { request, out }) => {
                let handler = proxy.wasi_http_incoming_handler();
                handler.call_handle(store, request, out).await
            }
            (
                Self::Service(service),
                Call::Service {
                    request,
                    report,
                    is_head,
                    out,
                },
            ) => serve(service, store, *request, report, is_head, out).await,
            _ => unreachable!("a call is prepared by its component"),
        }
    }
}

/// Whether a response consists of its head: to HEAD, or with a status without content.
#[must_use]
pub fn has_no_body(status: StatusCode, is_head: bool) -> bool {
    const WITHOUT_BODY: [StatusCode; 3] = [
        StatusCode::NO_CONTENT,
        StatusCode::RESET_CONTENT,
        StatusCode::NOT_MODIFIED,
    ];

    is_head || WITHOUT_BODY.contains(&status)
}

/// Runs the handler, and then all tasks that it has spawned.
async fn serve(
    service: &Service,
    store: &mut Store<State>,
    request: p3::Request,
    mut report: Report,
    is_head: bool,
    out: oneshot::Sender<ServiceHead>,
) -> Result<()> {
    let request_info = store.data().request_info().clone();
    let work = store.run_concurrent(async move |accessor| -> Result<()> {
        let (taken, is_taken) = oneshot::channel();
        let head = match service.handle(accessor, request).await? {
            Ok(response) => {
                let (sent, is_sent) = oneshot::channel();
                // The guest learns whether its response was sent.
                let sent_result = async { is_sent.await.unwrap_or(Ok(())) };
                let response =
                    accessor.with(|mut access| response.into_http(&mut access, sent_result))?;
                let is_sent = !has_no_body(response.status(), is_head);
                let ends = Some((sent, taken));
                let track = |body| TrackedBody {
                    body,
                    is_sent,
                    ends,
                };
                Ok(response.map(|body| track(body).boxed_unsync()))
            }
            Err(code) => {
                // An error has no body, whose end would be reported.
                drop(taken);
                Err(code)
            }
        };
        // Fails if the server no longer waits.
        let _ = out.send(head);
        // The event loop of the store moves the body.
        let _ = is_taken.await;
        poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
        let forwarded = accessor.with(|mut access| access.data_mut().outbound().all_forwarded());
        forwarded.await;
        Ok(())
    });
    let mut work = pin!(work);
    poll_fn(|cx| {
        let done = work.as_mut().poll(cx);
        // After the guest, which may have reported it just now.
        report.poll(cx, request_info.id());
        done
    })
    .await?
}

impl Report {
    /// Passes the report on: to the middleware in front, or to the log.
    fn poll(&mut self, cx: &mut Context<'_>, request: &RequestId) {
        /// Size limit of an error in a log line, in bytes.
        const MAX_ERROR_BYTES: usize = 512;

        let Some(running) = &mut self.result else {
            return;
        };
        let Poll::Ready(result) = running.as_mut().poll(cx) else {
            return;
        };
        self.result = None;
        match (&self.middleware, result) {
            (Some(middleware), result) => middleware.send(result),
            (None, Err(error)) => {
                let error = sanitize::line(&error).at_most(MAX_ERROR_BYTES);
                tracing::warn!(%request, "guest reported an error about its request: {error}");
            }
            (None, Ok(())) => {}
        }
    }
}

/// A body that reports its end, or that it was dropped before.
struct TrackedBody {
    body: HyperOutgoingBody,
    /// Whether it is part of the response that the client gets.
    is_sent: bool,
    /// None once its end is reported.
    ends: Option<Ends>,
}

/// The channels to the guest, and to the task that runs it.
type Ends = (oneshot::Sender<Result<(), Error>>, oneshot::Sender<()>);

impl TrackedBody {
    fn end(&mut self, result: Result<(), Error>) {
        if let Some((sent, taken)) = self.ends.take() {
            // Each fails if its receiver no longer waits.
            let _ = sent.send(result);
            let _ = taken.send(());
        }
    }
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let is_end = match &frame {
            Some(Ok(frame)) => frame.is_trailers(),
            Some(Err(_)) | None => true,
        };
        if is_end {
            self.end(Ok(()));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        // A connection may drop a body before its end if it has all of its bytes.
        let is_complete =
            !self.is_sent || self.is_end_stream() || self.size_hint().exact() == Some(0);
        let terminated = Err(Error::ConnectionTerminated);
        self.end(if is_complete { Ok(()) } else { terminated });
    }
}

/// Puts scheme and host into the target, where HTTP/1 has them in the field `host` or nowhere.
fn with_authority<B>(mut request: Request<B>, is_tls: bool) -> Result<Request<B>> {
    let host = request.headers().get(HOST);
    let mut parts = request.uri().clone().into_parts();
    parts.authority = match (parts.authority, host) {
        (Some(authority), _) => Some(authority),
        (None, Some(host)) => Some(Authority::try_from(host.as_bytes())?),
        (None, None) => return Err(wasmtime::Error::msg("the request names no host")),
    };
    parts.scheme = Some(if is_tls { Scheme::HTTPS } else { Scheme::HTTP });
    *request.uri_mut() = Uri::from_parts(parts)?;
    Ok(request)
}
