//! Warm-up of a new version: its first instance and the smoke request.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::HOST;
use http::uri::PathAndQuery;
use http_body_util::{BodyExt, Empty};
use telemetry::RequestInfo;
use tokio::runtime::Builder;
use tokio::time::timeout;
use wasmtime_wasi_http::Error;

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
            Ok(Err(error)) => return Err(FunctionError::Startup(format!("{error:#}"))),
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

async fn instantiate(function: &Function) -> wasmtime::Result<()> {
    let app = function.app();
    let request = RequestInfo::new(&Request::new(()), None, None);
    let mut store = app.store(Arc::new(request));
    app.instantiate(&mut store).await?;
    Ok(())
}

/// Sends the smoke request to a new instance. Returns an error unless the response is 2xx.
async fn send_smoke_request(function: &Function, path: &PathAndQuery) -> Result<(), String> {
    let body = Empty::<Bytes>::new().map_err(|never| -> Error { match never {} });
    let request = Request::get(path.as_str())
        .header(HOST, "localhost")
        .body(body);
    let request = request.map_err(|error| error.to_string())?;
    let app = function.app();
    let info = Arc::new(RequestInfo::new(&request, None, None));
    let mut store = app.store(info.clone());
    let describe = |error: wasmtime::Error| format!("{error:#}");
    let (call, mut head) = app.call(&mut store, request, false).map_err(describe)?;
    // The future owns the store: a response can arrive until the store is dropped.
    let guest = async move {
        let handler = app.instantiate(&mut store).await?;
        handler.handle(&mut store, call).await
    };
    // A guest that has set its response may block until the host reads the body.
    let responded = async {
        let Some(head) = poll_fn(|cx| head.poll(cx)).await else {
            return Err("the guest ended without a response".to_owned());
        };
        let (head, body) = head?.into_parts();
        let read = body.collect().await.map_err(|error| error.to_string());
        read.map(|_| head.status)
    };
    let (ended, status) = tokio::join!(guest, responded);
    ended.map_err(describe)?;
    let status = status?;
    if info.is_audit_unavailable() {
        return Err("the audit log cannot be written".to_owned());
    }
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("the response has status {status}"))
    }
}
