//! A component in the server's engine, one step of a request at a time.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use engine::{Call, CompiledComponent, Handler, ResponseHead, State, Variable};
use http::Request;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use telemetry::RequestInfo;
use tokio::runtime::{Builder, Runtime};
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::service::{self, InProcess, MESSAGE, PATH, VARIABLE};

/// A component and the runtime of a worker.
pub(crate) struct Sandbox {
    app: CompiledComponent,
    runtime: Runtime,
}

/// An instance and its next request.
pub(crate) struct Ready {
    store: Store<State>,
    handler: Handler,
    call: Call,
    head: ResponseHead,
}

impl Sandbox {
    /// A component that `make build` composed.
    pub(crate) fn of_component(name: &str) -> Self {
        let variable = Variable {
            key: VARIABLE.0.to_owned(),
            value: VARIABLE.1.to_owned(),
        };
        Self::of(InProcess::load(&service::component(name), vec![variable]))
    }

    /// The guest of `parts.wat`.
    pub(crate) fn of_parts() -> Self {
        // The WASI declarations that the test guests use, too.
        let http = include_str!("../../../tests/guests/http.wat");
        let source = include_str!("parts.wat").replace(";; include http.wat", http);
        let bytes = wat::parse_str(source).unwrap_or_else(|error| panic!("{error}"));
        Self::of(InProcess::load_bytes(&bytes, vec![]))
    }

    fn of(app: CompiledComponent) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        Self {
            app,
            runtime: runtime.expect("a runtime"),
        }
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// The store of one request.
    pub(crate) fn store(&self) -> Store<State> {
        let request = RequestInfo::new(&Request::new(()), None, None);
        self.app.store(Arc::new(request))
    }

    /// A store with an instance.
    pub(crate) fn handler(&self) -> (Store<State>, Handler) {
        let mut store = self.store();
        let handler = self.block_on(self.app.instantiate(&mut store));
        (store, handler.expect("an instance"))
    }

    /// A store with an instance, for calls of other exports than the request handler.
    pub(crate) fn instance(&self) -> (Store<State>, Instance) {
        let mut store = self.store();
        let pre = self.app.instance_pre();
        let instance = self.block_on(pre.instantiate_async(&mut store));
        (store, instance.expect("an instance"))
    }

    /// Creates an instance and a request for it.
    pub(crate) fn ready(&self, request: Request<Chunks>) -> Ready {
        let (mut store, handler) = self.handler();
        let call = self.app.call(&mut store, request, false);
        let (call, head) = call.expect("it names its host");
        Ready {
            store,
            handler,
            call,
            head,
        }
    }

    /// Runs the guest. Returns the store and the body of the response.
    pub(crate) fn answer(&self, ready: Ready) -> (Store<State>, Bytes) {
        let Ready {
            mut store,
            handler,
            call,
            mut head,
        } = ready;
        let body = async {
            let head = poll_fn(|cx| head.poll(cx)).await;
            let head = head.expect("the guest sets a response");
            head.expect("no error").into_body().collect().await
        };
        let work = handler.handle(&mut store, call);
        let (done, body) = self.block_on(async { tokio::join!(work, body) });
        done.expect("the guest does not trap");
        (store, body.expect("a whole body").to_bytes())
    }
}

/// The request to the composed components.
pub(crate) fn encrypt() -> Request<Chunks> {
    Request::post(PATH)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("content-length", MESSAGE.len())
        .body(Chunks::new(Bytes::from_static(MESSAGE.as_bytes()), 1))
        .expect("a request")
}

/// A body in memory, in chunks as hyper yields it.
pub(crate) struct Chunks {
    chunk: Bytes,
    remaining: usize,
}

impl Chunks {
    /// `count` copies of one chunk.
    pub(crate) fn new(chunk: Bytes, count: usize) -> Self {
        Self {
            chunk,
            remaining: count,
        }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = wasmtime_wasi_http::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(remaining) = self.remaining.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.remaining = remaining;
        Poll::Ready(Some(Ok(Frame::data(self.chunk.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }
}
