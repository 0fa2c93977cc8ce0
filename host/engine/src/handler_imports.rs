//! The handlers that a middleware imports, where the server runs the next component.

use http::uri::{Authority, PathAndQuery, Scheme as UriScheme};
use http::{Method as UriMethod, Request, Uri};
use wasmtime::component::{Accessor, Linker, Resource};
use wasmtime::{Result, StoreContextMut, format_err};
use wasmtime_wasi_http::p2::bindings::http::types as p2;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{WasiBody, WasiHttpView, p3};

use crate::host_memory::{AWAITED_RESPONSE_BYTES, BODY_BYTES, fields};
use crate::next::RequestReport;
use crate::state::State;

/// The interfaces, with the versions of wasmtime.
const INCOMING_HANDLER: &str = "wasi:http/incoming-handler@0.2.12";
const HANDLER: &str = "wasi:http/handler@0.3.0";

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
    let request = take_incoming(state, &request)?;
    let response = handler.call(request).await;
    (out.send)(response.map_err(|why| p2::ErrorCode::InternalError(Some(why))));
    Ok(())
}

/// Takes a request out of the store of a middleware of WASI 0.2.
fn take_incoming(
    state: &mut State,
    request: &Resource<HostIncomingRequest>,
) -> Result<Request<WasiBody>> {
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
    let body = state.next().take_body();
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
        let mut request = state.http().table.delete(request)?;
        // A missing path is an empty one (see `path-with-query` in the WIT).
        let root = || PathAndQuery::from_static("/");
        request.path_with_query.get_or_insert_with(root);
        let bytes = fields(&request.headers)
            .saturating_add(AWAITED_RESPONSE_BYTES)
            .saturating_add(BODY_BYTES);
        let buffered = state.outbound().add_buffered(bytes);
        let (sender, report) = RequestReport::new();
        Ok(match request.into_http(&mut access, report) {
            Ok((mut request, _)) => {
                request.extensions_mut().insert(sender);
                let outbound = access.data_mut().outbound();
                let request = request.map(|body| outbound.guest_body(body));
                Ok((handler, request, buffered))
            }
            Err(error) => Err(error.downcast()?),
        })
    })?;
    let (handler, request, buffered) = match taken {
        Ok(taken) => taken,
        Err(code) => return Ok(Err(code)),
    };
    let response = handler.call(request).await;
    drop(buffered);
    let response = match response {
        Ok(response) => response,
        Err(why) => return Ok(Err(ErrorCode::InternalError(Some(why)))),
    };
    accessor.with(|mut access| {
        let http = access.data_mut().http();
        let (response, _sent) = p3::Response::from_http(http.hooks, response);
        Ok(Ok(http.table.push(response)?))
    })
}
