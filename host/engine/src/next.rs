//! The next handler of a middleware, where the server runs it: composing cannot connect handlers of
//! different versions of WASI.
//!
//! The middleware and the next component have their own stores. A request that the middleware passes
//! on goes through a channel to the server, which runs the next component and returns its response.
//! Bodies are streamed in both directions.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme as UriScheme};
use http::{Method as UriMethod, Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::{Accessor, Linker, Resource};
use wasmtime::{Result, StoreContextMut, format_err};
use wasmtime_wasi_http::p2::bindings::http::types as p2;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{Error, WasiHttpView, p3};

use crate::host_memory::{AWAITED_RESPONSE_BYTES, BODY_BYTES};
use crate::state::State;

/// The handlers that a middleware imports, with the versions of wasmtime.
const INCOMING_HANDLER: &str = "wasi:http/incoming-handler@0.2.12";
const HANDLER: &str = "wasi:http/handler@0.3.0";

/// A body that is streamed between components.
pub type NextBody = UnsyncBoxBody<Bytes, Error>;

/// A request that a middleware passes on.
pub struct NextCall {
    /// The request, with scheme and authority.
    pub request: Request<NextBody>,
    /// Takes the response, or the reason why there is none. It is closed when the middleware no
    /// longer waits.
    pub respond: oneshot::Sender<Result<Response<NextBody>, String>>,
}

/// The next handler of a middleware.
#[derive(Debug, Clone)]
pub struct NextHandler(mpsc::Sender<NextCall>);

impl NextHandler {
    /// A handler, and the requests to it, of which one is handled at a time.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<NextCall>) {
        let (sender, calls) = mpsc::channel(1);
        (Self(sender), calls)
    }

    async fn call(&self, request: Request<NextBody>) -> Result<Response<NextBody>, String> {
        const ENDED: &str = "the server has stopped the next component";

        let (respond, response) = oneshot::channel();
        let call = NextCall { request, respond };
        self.0.send(call).await.map_err(|_| ENDED.to_owned())?;
        response.await.unwrap_or_else(|_| Err(ENDED.to_owned()))
    }
}

/// The next handler in a store of a middleware, and the body of the request, which goes to it.
#[derive(Default)]
pub(crate) struct Next {
    handler: Option<NextHandler>,
    /// For WASI 0.2, whose host does not return the body of a request.
    body: Option<SharedBody>,
}

impl Next {
    pub(crate) fn set_handler(&mut self, handler: NextHandler) {
        self.handler = Some(handler);
    }

    /// Whether there is a next handler.
    pub(crate) fn is_set(&self) -> bool {
        self.handler.is_some()
    }

    /// The body of a request for a middleware of WASI 0.2, which the next handler takes over.
    pub(crate) fn share<B>(&mut self, body: B) -> SharedBody
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        let body = body.map_err(Into::into).boxed_unsync();
        let shared = SharedBody(Arc::new(Mutex::new(Some(body))));
        self.body = Some(shared.clone());
        shared
    }

    fn handler(&self) -> Result<NextHandler> {
        let handler = self.handler.clone();
        handler.ok_or_else(|| format_err!("the component has no next handler"))
    }
}

/// Adds the handlers that a middleware of either version imports to `linker`.
pub(crate) fn add_to_linker(linker: &mut Linker<State>, is_concurrent: bool) -> Result<()> {
    linker.instance(INCOMING_HANDLER)?.func_wrap_async(
        "handle",
        |mut store: StoreContextMut<'_, State>,
         (request, out): (
            Resource<HostIncomingRequest>,
            Resource<HostResponseOutparam>,
        )| {
            Box::new(async move { handle_incoming(store.data_mut(), request, out).await })
        },
    )?;
    if is_concurrent {
        linker.instance(HANDLER)?.func_wrap_concurrent(
            "handle",
            |accessor: &Accessor<State>, (request,): (Resource<p3::Request>,)| {
                Box::pin(async move { Ok((handle(accessor, request).await?,)) })
            },
        )?;
    }
    Ok(())
}

/// Passes a request of a middleware of WASI 0.2 on, and sets the response.
async fn handle_incoming(
    state: &mut State,
    request: Resource<HostIncomingRequest>,
    out: Resource<HostResponseOutparam>,
) -> Result<()> {
    state.charge(AWAITED_RESPONSE_BYTES.saturating_add(BODY_BYTES))?;
    let handler = state.next().handler()?;
    let out = state.http().table.delete(out)?;
    let request = take_incoming(state, request)?;
    let response = handler.call(request).await;
    (out.send)(response.map_err(|why| p2::ErrorCode::InternalError(Some(why))));
    Ok(())
}

/// Takes a request out of the store of a middleware of WASI 0.2.
fn take_incoming(
    state: &mut State,
    request: Resource<HostIncomingRequest>,
) -> Result<Request<NextBody>> {
    use p2::HostIncomingRequest as _;

    let again = || Resource::new_own(request.rep());
    let mut http = state.http();
    let method = match http.method(again())? {
        p2::Method::Get => UriMethod::GET,
        p2::Method::Head => UriMethod::HEAD,
        p2::Method::Post => UriMethod::POST,
        p2::Method::Put => UriMethod::PUT,
        p2::Method::Delete => UriMethod::DELETE,
        p2::Method::Connect => UriMethod::CONNECT,
        p2::Method::Options => UriMethod::OPTIONS,
        p2::Method::Trace => UriMethod::TRACE,
        p2::Method::Patch => UriMethod::PATCH,
        p2::Method::Other(name) => UriMethod::from_bytes(name.as_bytes())?,
    };
    let scheme = match http.scheme(again())? {
        Some(p2::Scheme::Https) => UriScheme::HTTPS,
        _ => UriScheme::HTTP,
    };
    let authority = http.authority(again())?.unwrap_or_default();
    let path = http.path_with_query(again())?;
    let path = path.unwrap_or_else(|| "/".to_owned());
    let headers = http.headers(again())?;
    let headers = http.table.delete(headers)?;
    let is_consumed = http.table.delete(again())?.body.is_none();
    let body = state.next().body.take().and_then(|body| body.take());
    let Some(body) = body.filter(|_| !is_consumed) else {
        return Err(format_err!(
            "the middleware passes a request on whose body it has taken"
        ));
    };
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(Authority::try_from(authority)?);
    parts.path_and_query = Some(PathAndQuery::try_from(path)?);
    let mut passed_on = Request::new(body);
    *passed_on.method_mut() = method;
    *passed_on.uri_mut() = Uri::from_parts(parts)?;
    *passed_on.headers_mut() = headers.into();
    Ok(passed_on)
}

/// Passes a request of a middleware of WASI 0.3 on.
async fn handle(
    accessor: &Accessor<State>,
    request: Resource<p3::Request>,
) -> Result<std::result::Result<Resource<p3::Response>, ErrorCode>> {
    let taken = accessor.with(|mut access| -> Result<_> {
        let state = access.data_mut();
        state.charge(AWAITED_RESPONSE_BYTES.saturating_add(BODY_BYTES))?;
        let handler = state.next().handler()?;
        let request = state.http().table.delete(request)?;
        Ok(match request.into_http(&mut access, async { Ok(()) }) {
            Ok((request, _)) => Ok((handler, request)),
            Err(error) => Err(error.downcast()?),
        })
    })?;
    let (handler, request) = match taken {
        Ok(taken) => taken,
        Err(code) => return Ok(Err(code)),
    };
    let response = match handler.call(request).await {
        Ok(response) => response,
        Err(why) => return Ok(Err(ErrorCode::InternalError(Some(why)))),
    };
    accessor.with(|mut access| {
        let http = access.data_mut().http();
        let (response, _sent) = p3::Response::from_http(http.hooks, response);
        Ok(Ok(http.table.push(response)?))
    })
}

/// A body that can be taken from the component that reads it.
#[derive(Clone)]
pub(crate) struct SharedBody(Arc<Mutex<Option<NextBody>>>);

impl SharedBody {
    fn take(&self) -> Option<NextBody> {
        self.with(Option::take)
    }

    fn with<T>(&self, f: impl FnOnce(&mut Option<NextBody>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Body for SharedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.with(|body| match body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.as_ref().is_none_or(Body::is_end_stream))
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| {
            body.as_ref()
                .map_or_else(SizeHint::default, Body::size_hint)
        })
    }
}
