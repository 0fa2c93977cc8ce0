//! The next handler of a middleware, where the server runs it: composing cannot connect handlers of
//! different versions of WASI, or keep environments, grants and limits apart.
//!
//! The middleware and the next component have their own stores. A request that the middleware passes
//! on goes through a channel to the server, which runs the next component and returns its response.
//! Bodies are streamed in both directions.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::{mpsc, oneshot};
use wasmtime::format_err;
use wasmtime_wasi_http::{Error, WasiBody};

/// A request that a middleware passes on.
pub struct NextCall {
    /// The request, with scheme and authority.
    pub request: Request<WasiBody>,
    /// Takes the response, or the reason why there is none. It is closed when the middleware no
    /// longer waits.
    pub respond: oneshot::Sender<Result<Response<WasiBody>, String>>,
}

/// Takes what a component reports about its request, for the middleware that has passed it on. It is
/// an extension of the request.
#[derive(Clone)]
pub(crate) struct RequestReport(Arc<Mutex<Option<ReportSender>>>);

type ReportSender = oneshot::Sender<Result<(), Error>>;

impl RequestReport {
    /// The extension, and what it takes. Without a report, the component has no objection.
    pub(crate) fn new() -> (
        Self,
        impl Future<Output = Result<(), Error>> + Send + 'static,
    ) {
        let (sender, report) = oneshot::channel();
        let sender = Self(Arc::new(Mutex::new(Some(sender))));
        (sender, async { report.await.unwrap_or(Ok(())) })
    }

    pub(crate) fn send(&self, report: Result<(), Error>) {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = sender.take() {
            // Fails if the middleware no longer waits.
            let _ = sender.send(report);
        }
    }
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

    pub(crate) async fn call(
        &self,
        request: Request<WasiBody>,
    ) -> Result<Response<WasiBody>, String> {
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

    /// Takes the body of the request.
    pub(crate) fn take_body(&mut self) -> Option<WasiBody> {
        self.body.take().and_then(|body| body.take())
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

    /// The next handler.
    pub(crate) fn handler(&self) -> wasmtime::Result<NextHandler> {
        let handler = self.handler.clone();
        handler.ok_or_else(|| format_err!("the component has no next handler"))
    }
}

/// A body that can be taken from the component that reads it.
#[derive(Clone)]
pub(crate) struct SharedBody(Arc<Mutex<Option<WasiBody>>>);

impl SharedBody {
    fn take(&self) -> Option<WasiBody> {
        self.with(Option::take)
    }

    fn with<T>(&self, f: impl FnOnce(&mut Option<WasiBody>) -> T) -> T {
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
