//! Warm-up of a new version: its first instance and the smoke request.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use engine::{NextCall, NextHandler};
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use telemetry::RequestInfo;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, WasiBody};

use super::function::Function;
use super::load::FunctionError;

/// Timeout for the first instance, and again for the smoke request.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// Creates an instance of the function and drops it: instantiation is known to work, and the
/// images of its memories exist. With a `smoke` path, an instance also answers a request for it.
///
/// It must not be called within a tokio runtime.
///
/// # Errors
///
/// Fails if the guest traps, exceeds 5 s, or responds with another status than 2xx.
pub(super) fn warm(function: &Function, smoke: Option<&PathAndQuery>) -> Result<(), FunctionError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| FunctionError::Startup(error.to_string()))?;
    let late = || format!("it took longer than {} s", WARM_UP_TIMEOUT.as_secs());
    runtime.block_on(async {
        match timeout(WARM_UP_TIMEOUT, instantiate(function)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(FunctionError::Startup(late())),
        }
        let Some(path) = smoke else { return Ok(()) };
        let response = timeout(WARM_UP_TIMEOUT, send_smoke_request(function, path)).await;
        response
            .unwrap_or_else(|_| Err(late()))
            .map_err(|why| FunctionError::Smoke {
                path: path.clone(),
                why,
            })
    })
}

async fn instantiate(function: &Function) -> Result<(), FunctionError> {
    for segment in function.chain() {
        let request = RequestInfo::new(&Request::new(()), None, None);
        let mut store = segment.app().store(Arc::new(request));
        let instance = segment.app().instantiate(&mut store).await;
        instance.map_err(|error| {
            FunctionError::Startup(format!("{error:#}")).of_segment(segment.segment())
        })?;
    }
    Ok(())
}

/// A smoke request in a chain of segments.
#[derive(Default)]
struct SmokeRequest {
    /// The first error of a next handler, of which its middleware makes a response.
    failure: OnceLock<String>,
}

/// Sends the smoke request to a new instance. Returns an error unless the response is 2xx.
async fn send_smoke_request(function: &Function, path: &PathAndQuery) -> Result<(), String> {
    let body = Empty::<Bytes>::new().map_err(|never| -> Error { match never {} });
    let request = Request::get(path.as_str())
        .header(HOST, "localhost")
        .body(body.boxed_unsync());
    let request = request.map_err(|error| error.to_string())?;
    let info = Arc::new(RequestInfo::new(&request, None, None));
    let smoke = SmokeRequest::default();
    let response = respond(function, request, &info, &smoke).await?;
    let status = response.status();
    if info.is_audit_unavailable() {
        return Err("the audit log cannot be written".to_owned());
    }
    if status.is_success() {
        return Ok(());
    }
    let why = format!("the response has status {status}");
    Err(match smoke.failure.get() {
        Some(failure) => format!("{why}: {failure}"),
        None => why,
    })
}

/// Lets a new instance respond to `request`, and collects its response. Errors name the segment, if
/// there are several.
async fn respond(
    function: &Function,
    request: Request<WasiBody>,
    info: &Arc<RequestInfo>,
    smoke: &SmokeRequest,
) -> Result<Response<WasiBody>, String> {
    let response = collect_response(function, request, info, smoke).await;
    response.map_err(|why| match function.segment() {
        Some(segment) => format!("{segment}: {why}"),
        None => why,
    })
}

async fn collect_response(
    function: &Function,
    request: Request<WasiBody>,
    info: &Arc<RequestInfo>,
    smoke: &SmokeRequest,
) -> Result<Response<WasiBody>, String> {
    let app = function.app();
    let mut store = app.store(info.clone());
    let next = function.next().map(|next| {
        let (handler, calls) = NextHandler::new();
        store.data_mut().set_next(handler);
        respond_to_calls(next, calls, info, smoke)
    });
    let describe = |error: wasmtime::Error| format!("{error:#}");
    let (call, mut head) = app.call(&mut store, request, false).map_err(describe)?;
    // The future owns the store: a response can arrive until the store is dropped.
    let guest = async move {
        let handled = async {
            let handler = app.instantiate(&mut store).await?;
            handler.handle(&mut store, call).await
        };
        handled.await.map_err(describe)
    };
    // A guest that has set its response may block until the host reads the body.
    let responded = async {
        let Some(head) = poll_fn(|cx| head.poll(cx)).await else {
            return Err("the guest ended without a response".to_owned());
        };
        let (head, body) = head?.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?;
        let body = body.map_err(|never| -> Error { match never {} });
        Ok(Response::from_parts(head, body.boxed_unsync()))
    };
    let next = async {
        if let Some(next) = next {
            next.await;
        }
        pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        response = async { tokio::try_join!(guest, responded) } => {
            response.map(|((), response)| response)
        }
        never = next => match never {},
    }
}

/// Responds to the requests that a middleware passes on. Each has an account of its own, like those of
/// clients. `outer` is the request to the middleware.
fn respond_to_calls<'a>(
    function: &'a Function,
    mut calls: mpsc::Receiver<NextCall>,
    outer: &'a Arc<RequestInfo>,
    smoke: &'a SmokeRequest,
) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
    Box::pin(async move {
        while let Some(NextCall {
            request,
            respond: sender,
        }) = calls.recv().await
        {
            let info = Arc::new(outer.for_next());
            let response = respond(function, request, &info, smoke).await;
            if let Err(failure) = &response {
                // Only the first one counts.
                let _ = smoke.failure.set(failure.clone());
            }
            // Fails if the middleware no longer waits.
            let _ = sender.send(response);
        }
    })
}
