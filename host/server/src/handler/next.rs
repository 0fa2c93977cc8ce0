//! The next handler of a middleware, where the server connects them: they are for different versions
//! of WASI, or have different settings.
//!
//! The next guest works in a task of its own, on the worker of the request. Its response goes to the
//! store of the middleware, which may be on another thread, through a channel of one frame.

use std::pin::{Pin, pin};
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use engine::{NextCall, NextHandler};
use http::uri::Scheme;
use http::{Method, Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use memory_limit::InstanceMemory;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::handler::Context;
use crate::handler::admitted::{Admitted, total_bytes};
use crate::handler::guest_error::GuestError;
use crate::handler::response::{self, ResponseBody};
use crate::scheduling::admission::CommonSlots;

/// The next handler of one request.
pub(crate) struct Next {
    context: Context,
    /// For the first request that the middleware passes on. Further ones wait like those of clients.
    admitted: Option<Admitted>,
    /// The slots of the middleware.
    common: CommonSlots,
    /// The task that streams the last response.
    streaming: Option<JoinHandle<()>>,
}

impl Next {
    pub(crate) fn new(context: Context, admitted: Admitted, common: CommonSlots) -> Self {
        Self {
            context,
            admitted: Some(admitted),
            common,
            streaming: None,
        }
    }

    /// Gives the memory of this segment and of those behind it, which is part of `outer`, to them. It
    /// was acquired with `bytes` for each of them.
    pub(crate) fn set_memory(&mut self, outer: &InstanceMemory, bytes: &[u64]) {
        if let Some(admitted) = &mut self.admitted {
            let memory = outer.split_off(total_bytes(bytes.iter().copied()));
            admitted.set_memory(memory, bytes.get(1..).unwrap_or_default());
        }
    }

    /// Handles the requests that the middleware passes on, one at a time, as long as it exists.
    pub(crate) fn handle_calls(mut self) -> NextHandler {
        let (handler, mut calls) = NextHandler::new();
        tokio::task::spawn_local(async move {
            while let Some(NextCall {
                request,
                mut respond,
            }) = calls.recv().await
            {
                tokio::select! {
                    biased;
                    // The client has left, or the time of the middleware is over.
                    () = respond.closed() => {}
                    response = self.respond(request) => {
                        // Fails if the middleware no longer waits.
                        let _ = respond.send(response);
                    }
                }
            }
        });
        handler
    }

    async fn respond(&mut self, request: Request<WasiBody>) -> Result<Response<WasiBody>, String> {
        // One client has one next guest at a time.
        if let Some(previous) = &mut self.streaming {
            // Fails only if the server ends.
            let _ = previous.await;
            self.streaming = None;
        }
        match self.answer(request).await {
            Ok(response) => Ok(response.map(|body| {
                let (body, task) = stream(body);
                self.streaming = Some(task);
                body
            })),
            Err(failure) => Err(self.report(failure).await),
        }
    }

    async fn answer(
        &mut self,
        request: Request<WasiBody>,
    ) -> Result<Response<ResponseBody>, GuestError> {
        let context = &self.context;
        let admitted = match self.admitted.take() {
            Some(admitted) => admitted,
            None => Admitted::wait(context, Some(&self.common)).await?,
        };
        let deadline = Instant::now() + context.served.settings().request_timeout;
        let is_head = request.method() == Method::HEAD;
        let is_tls = request.uri().scheme() == Some(&Scheme::HTTPS);
        let (running, head) = admitted.start(request, is_tls, context)?;
        let responding = response::take(running, head, is_head, context);
        let response = timeout_at(deadline, responding).await;
        response.unwrap_or(Err(GuestError::TimedOut))
    }

    /// Reports a failure like that of any guest, and describes it for the middleware.
    async fn report(&self, failure: GuestError) -> String {
        let description = failure.response().1;
        if let GuestError::Rejected(rejection) = &failure {
            let telemetry = &self.context.shared.telemetry;
            telemetry.record_rejection(rejection.reason());
        }
        // Fails only if the server ends.
        let _ = failure
            .report_in_background(&self.context, "next handler failed")
            .await;
        description.to_owned()
    }
}

/// The body of a response as the middleware reads it, on any thread, and the task that streams it.
fn stream(body: ResponseBody) -> (WasiBody, JoinHandle<()>) {
    let (frames, receiver) = mpsc::channel(1);
    let task = tokio::task::spawn_local(async move {
        let mut body = pin!(body);
        loop {
            let frame = tokio::select! {
                biased;
                // The middleware does not want the rest, and the guest ends with it.
                () = frames.closed() => return,
                frame = body.frame() => frame,
            };
            let item = match frame {
                Some(Ok(frame)) => Item::Frame(frame),
                // The middleware learns of a broken body, as a client does.
                Some(Err(_)) => return,
                None => Item::End,
            };
            let is_end = matches!(item, Item::End);
            if frames.send(item).await.is_err() || is_end {
                return;
            }
        }
    });
    (StreamedBody(Some(receiver)).boxed_unsync(), task)
}

enum Item {
    Frame(Frame<Bytes>),
    /// The body is complete. Without this item it is broken.
    End,
}

/// A body from a task of the worker. None after its end.
struct StreamedBody(Option<mpsc::Receiver<Item>>);

impl Body for StreamedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(receiver) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let item = ready!(receiver.poll_recv(cx));
        if let Some(Item::Frame(frame)) = item {
            return Poll::Ready(Some(Ok(frame)));
        }
        self.0 = None;
        Poll::Ready(match item {
            Some(_) => None,
            None => Some(Err(Error::ConnectionTerminated)),
        })
    }
}
