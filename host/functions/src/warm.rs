//! The first instance of a function, before anybody waits for one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::function::Function;
use super::load::FunctionError;
use telemetry::RequestInfo;

/// How long an instance may take to begin, and to answer.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Makes an instance of the function, and drops it. What every instance does when it begins
/// has worked once then, and the images of its memories are there. If there is a `smoke`
/// request, the instance answers it, as it would one from a client.
///
/// It must not be called within a runtime of tokio.
///
/// # Errors
///
/// Fails if it traps, takes longer than 5 s, or its answer has no status of success.
pub(super) fn warm(function: &Function, smoke: Option<&PathAndQuery>) -> Result<(), FunctionError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| FunctionError::Startup(error.to_string()))?;
    let late = || format!("it took longer than {} s", MAX_TIME.as_secs());
    runtime.block_on(async {
        match timeout(MAX_TIME, begin(function)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(FunctionError::Startup(format!("{error:#}"))),
            Err(_) => return Err(FunctionError::Startup(late())),
        }
        let Some(path) = smoke else { return Ok(()) };
        let asked = timeout(MAX_TIME, ask(function, path)).await;
        asked
            .unwrap_or_else(|_| Err(late()))
            .map_err(|why| FunctionError::Smoke {
                path: path.clone(),
                why,
            })
    })
}

async fn begin(function: &Function) -> wasmtime::Result<()> {
    let app = function.app();
    let request = RequestInfo::new(&Request::new(()), None, None);
    let mut store = app.store(Arc::new(request));
    app.pre().instantiate_async(&mut store).await?;
    Ok(())
}

/// Sends a request, and says what is wrong with the answer.
async fn ask(function: &Function, path: &PathAndQuery) -> Result<(), String> {
    let body = Empty::<Bytes>::new().map_err(|never| -> ErrorCode { match never {} });
    let request = Request::get(path.as_str())
        .header(HOST, "localhost")
        .body(body);
    let request = request.map_err(|error| error.to_string())?;
    let app = function.app();
    let info = Arc::new(RequestInfo::new(&request, None, None));
    let mut store = app.store(info.clone());
    let (sender, answer) = oneshot::channel::<Result<Response<HyperOutgoingBody>, ErrorCode>>();
    let mut http = store.data_mut().http();
    let said = |error: wasmtime::Error| format!("{error:#}");
    let request = http
        .new_incoming_request(Scheme::Http, request)
        .map_err(said)?;
    let out = http.new_response_outparam(sender).map_err(said)?;
    // The store goes with it: as long as that is there, there may be a response.
    let guest = async move {
        let proxy = app.pre().instantiate_async(&mut store).await?;
        let handler = proxy.wasi_http_incoming_handler();
        handler.call_handle(&mut store, request, out).await
    };
    // A guest that has set its response may wait until somebody reads the body.
    let answered = async {
        let Ok(answer) = answer.await else {
            return Err("the guest ended without a response".to_owned());
        };
        let (head, body) = answer.map_err(|error| error.to_string())?.into_parts();
        let read = body.collect().await.map_err(|error| error.to_string());
        read.map(|_| head.status)
    };
    let (ended, status) = tokio::join!(guest, answered);
    ended.map_err(said)?;
    let status = status?;
    if info.is_audit_unavailable() {
        return Err("the audit log takes no entry of it".to_owned());
    }
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("its answer is {status}"))
    }
}
