//! Host functions of WASI 0.3 that retain bytes for a guest, with their charges: the counterpart of
//! `host_functions.rs`.
//!
//! A stream or a future retains a small value behind a handle, and each body one chunk and its copy.

use wasmtime::component::{
    Access, Accessor, FutureReader, Linker, LinkerInstance, Resource, StreamReader,
};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::p3::bindings::http::client::HostWithStore as _;
use wasmtime_wasi_http::p3::bindings::http::types::{
    ErrorCode, HeaderError, Headers, Host as _, HostFields, HostRequest, HostRequestWithStore,
    HostResponseWithStore, Method, RequestOptions, Scheme, Trailers,
};
use wasmtime_wasi_http::p3::{Request, Response};
use wasmtime_wasi_http::{FieldMap, WasiHttp, WasiHttpCtxView, WasiHttpView};

use super::host_functions::{
    Entries, MAX_AUTHORITY_BYTES, MAX_METHOD_BYTES, add, add_fields, add_request_setters,
};
use super::host_memory::{AWAITED_RESPONSE_BYTES, BODY_BYTES, FIELDS_BYTES, field, fields, text};
use super::state::State;

/// The interfaces, with the versions of wasmtime.
const TYPES: &str = "wasi:http/types@0.3.0";
const CLIENT: &str = "wasi:http/client@0.3.0";

/// Replaces these functions in `linker`.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut interface = linker.instance(TYPES)?;
    add_fields!(&mut interface, HostFields);
    add_messages(&mut interface)?;
    add_request_setters!(&mut interface, "request", HostRequest, Request);
    let mut client = linker.instance(CLIENT)?;
    client.func_wrap_concurrent(
        "send",
        |accessor: &Accessor<State>, (request,): (Resource<Request>,)| {
            Box::pin(async move { Ok((send(accessor, request).await?,)) })
        },
    )
}

/// Sends a request of a guest.
async fn send(
    accessor: &Accessor<State>,
    request: Resource<Request>,
) -> Result<Result<Resource<Response>, ErrorCode>> {
    let http = accessor.with_getter::<WasiHttp>(State::http);
    accessor.with(|mut access| -> Result<()> {
        let state = access.data_mut();
        state.charge(AWAITED_RESPONSE_BYTES.saturating_add(BODY_BYTES))?;
        // A missing path is an empty one (see `path-with-query` in the WIT).
        let request = state.http().table.get_mut(&request)?;
        let root = || http::uri::PathAndQuery::from_static("/");
        request.path_with_query.get_or_insert_with(root);
        Ok(())
    })?;
    match WasiHttp::send(&http, request).await {
        Ok(response) => Ok(Ok(response)),
        Err(error) => {
            accessor.with(|mut access| access.data_mut().http().convert_error_code(error).map(Err))
        }
    }
}

/// The trailers of a message, which its guest sets later.
type GuestTrailers = FutureReader<std::result::Result<Option<Resource<Trailers>>, ErrorCode>>;

fn add_messages(interface: &mut LinkerInstance<'_, State>) -> Result<()> {
    type RequestParams = (
        Resource<Headers>,
        Option<StreamReader<u8>>,
        GuestTrailers,
        Option<Resource<RequestOptions>>,
    );
    type ResponseParams = (Resource<Headers>, Option<StreamReader<u8>>, GuestTrailers);

    interface.func_wrap(
        "[static]request.new",
        |mut store: StoreContextMut<'_, State>,
         (headers, contents, trailers, options): RequestParams| {
            store.data_mut().charge(BODY_BYTES)?;
            let http = Access::<_, WasiHttp>::new(store, State::http);
            HostRequestWithStore::new(http, headers, contents, trailers, options)
                .map(|request| (request,))
        },
    )?;
    interface.func_wrap(
        "[static]response.new",
        |mut store: StoreContextMut<'_, State>, (headers, contents, trailers): ResponseParams| {
            store.data_mut().charge(BODY_BYTES)?;
            let http = Access::<_, WasiHttp>::new(store, State::http);
            HostResponseWithStore::new(http, headers, contents, trailers)
                .map(|response| (response,))
        },
    )
}

/// Converts the result for the guest; errors that are not for guests become traps.
fn header_result<T>(
    http: &mut WasiHttpCtxView<'_>,
    result: std::result::Result<T, TrappableError<HeaderError>>,
) -> Result<Result<T, HeaderError>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => http.convert_header_error(error).map(Err),
    }
}
