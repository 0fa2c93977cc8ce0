//! Host functions that retain bytes for a guest, with their charges.
//!
//! wasmtime's implementations retain whatever size a guest passes. Each function here replaces one
//! of them in the linker: it charges the host memory of the store ([`State::charge`]) with an upper
//! bound of the bytes that the call retains, and then calls it. All other host functions retain
//! nothing, or a small value behind a handle, which `--max-handles` limits. A test
//! (`host_function_table.rs`) covers all functions of the linker, so that new ones of wasmtime are
//! not missed.

use wasmtime::component::{ComponentNamedList, Lift, Linker, LinkerInstance, Lower, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::cli::WasiCliView;
use wasmtime_wasi::p2::bindings::cli::{stderr, stdout};
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::Host as _;
use wasmtime_wasi_http::p2::bindings::http::types::{
    self, ErrorCode, HeaderError, Host as _, HostFields, HostOutgoingRequest as RequestHost,
    Method, RequestOptions, Scheme,
};
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
};
use wasmtime_wasi_http::p2::{HeaderResult, HttpResult};
use wasmtime_wasi_http::{FieldMap, WasiHttpCtxView, WasiHttpView};

use super::host_memory::{
    AWAITED_RESPONSE_BYTES, BODY_BYTES, FIELDS_BYTES, OUTPUT_BYTES, TRAILERS_BYTES, field, fields,
    text,
};
use super::state::State;

/// The interfaces, with the versions of wasmtime.
const TYPES: &str = "wasi:http/types@0.2.12";
const OUTGOING_HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";
const STDOUT: &str = "wasi:cli/stdout@0.2.12";
const STDERR: &str = "wasi:cli/stderr@0.2.12";

/// Size limit of a method, in bytes. RFC 9110 sets no limit; the longest registered method (section
/// 16.1) has 17.
pub(super) const MAX_METHOD_BYTES: usize = 64;

/// Size limit of an authority, in bytes: a name of 253 bytes (RFC 1035), a final dot, and a port
/// (RFC 3986, section 3.2).
pub(super) const MAX_AUTHORITY_BYTES: usize = 253 + ".:65535".len();

/// Header fields, as a guest passes them.
pub(super) type Entries = Vec<(String, Vec<u8>)>;

/// Result of polling a future: pending, or once a value or an error.
type Polled<T> = Option<Result<Result<T, ErrorCode>, ()>>;

/// Adds the functions of `fields`, which are the same for both versions of WASI, on other traits. The
/// caller has a function `header_result` for its errors.
macro_rules! add_fields {
    ($interface:expr, $host:ident) => {{
        let interface = $interface;
        add(interface, "[constructor]fields", |state, ()| {
            state.charge(FIELDS_BYTES)?;
            $host::new(&mut state.http())
        })?;
        add(
            interface,
            "[static]fields.from-list",
            |state, (entries,): (Entries,)| {
                let each = |(name, value): &(String, Vec<u8>)| field(name.len(), value.len());
                let bytes: usize = entries.iter().map(each).sum();
                state.charge(FIELDS_BYTES.saturating_add(bytes))?;
                let mut http = state.http();
                let result = $host::from_list(&mut http, entries);
                header_result(&mut http, result)
            },
        )?;
        add(
            interface,
            "[method]fields.set",
            |state, (map, name, values): (Resource<FieldMap>, String, Vec<Vec<u8>>)| {
                let each = |value: &Vec<u8>| field(name.len(), value.len());
                state.charge(values.iter().map(each).sum())?;
                let mut http = state.http();
                let result = $host::set(&mut http, map, name, values);
                header_result(&mut http, result)
            },
        )?;
        add(
            interface,
            "[method]fields.append",
            |state, (map, name, value): (Resource<FieldMap>, String, Vec<u8>)| {
                state.charge(field(name.len(), value.len()))?;
                let mut http = state.http();
                let result = $host::append(&mut http, map, name, value);
                header_result(&mut http, result)
            },
        )?;
        add(
            interface,
            "[method]fields.clone",
            |state, (map,): (Resource<FieldMap>,)| {
                // Copy on write: charged before the copy is made.
                let bytes = fields(state.http().table.get(&map)?);
                state.charge(bytes)?;
                $host::clone(&mut state.http(), map)
            },
        )?;
    }};
}

/// Adds the setters of a request, whose resource has another name in each version of WASI.
macro_rules! add_request_setters {
    ($interface:expr, $name:literal, $host:ident, $request:ty) => {{
        let interface = $interface;
        add(
            interface,
            concat!("[method]", $name, ".set-method"),
            |state, (request, name): (Resource<$request>, Method)| {
                let bytes = match &name {
                    Method::Other(name) => name.len(),
                    _ => 0,
                };
                if bytes > MAX_METHOD_BYTES {
                    return Ok(Err(()));
                }
                state.charge(bytes)?;
                $host::set_method(&mut state.http(), request, name)
            },
        )?;
        add(
            interface,
            concat!("[method]", $name, ".set-path-with-query"),
            |state, (request, path): (Resource<$request>, Option<String>)| {
                state.charge(text(path.as_deref()))?;
                $host::set_path_with_query(&mut state.http(), request, path)
            },
        )?;
        add(
            interface,
            concat!("[method]", $name, ".set-scheme"),
            |state, (request, name): (Resource<$request>, Option<Scheme>)| {
                let bytes = match &name {
                    Some(Scheme::Other(name)) => name.len(),
                    _ => 0,
                };
                state.charge(bytes)?;
                $host::set_scheme(&mut state.http(), request, name)
            },
        )?;
        add(
            interface,
            concat!("[method]", $name, ".set-authority"),
            |state, (request, authority): (Resource<$request>, Option<String>)| {
                if text(authority.as_deref()) > MAX_AUTHORITY_BYTES {
                    return Ok(Err(()));
                }
                state.charge(text(authority.as_deref()))?;
                $host::set_authority(&mut state.http(), request, authority)
            },
        )?;
    }};
}

pub(super) use {add_fields, add_request_setters};

/// Replaces these functions in `linker`.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut interface = linker.instance(TYPES)?;
    add_fields!(&mut interface, HostFields);
    add_requests(&mut interface)?;
    add_responses(&mut interface)?;
    let mut handler = linker.instance(OUTGOING_HANDLER)?;
    add(&mut handler, "handle", |state, (request, options)| {
        state.charge(AWAITED_RESPONSE_BYTES)?;
        handle(&mut state.http(), request, options)
    })?;
    let mut output = linker.instance(STDOUT)?;
    add(&mut output, "get-stdout", |state, ()| {
        state.charge(OUTPUT_BYTES)?;
        stdout::Host::get_stdout(&mut state.cli())
    })?;
    let mut output = linker.instance(STDERR)?;
    add(&mut output, "get-stderr", |state, ()| {
        state.charge(OUTPUT_BYTES)?;
        stderr::Host::get_stderr(&mut state.cli())
    })
}

/// Adds a function with the parameters `Params` and one result.
pub(super) fn add<Params, Return>(
    instance: &mut LinkerInstance<'_, State>,
    name: &str,
    function: impl Fn(&mut State, Params) -> Result<Return> + Send + Sync + 'static,
) -> Result<()>
where
    Params: ComponentNamedList + Lift + 'static,
    (Return,): ComponentNamedList + Lower + 'static,
{
    instance.func_wrap(
        name,
        move |mut store: StoreContextMut<'_, State>, params: Params| {
            function(store.data_mut(), params).map(|value| (value,))
        },
    )
}

fn add_requests(interface: &mut LinkerInstance<'_, State>) -> Result<()> {
    add(
        interface,
        "[method]outgoing-request.body",
        |state, (request,): (Resource<HostOutgoingRequest>,)| {
            state.charge(BODY_BYTES)?;
            RequestHost::body(&mut state.http(), request)
        },
    )?;
    add_request_setters!(
        interface,
        "outgoing-request",
        RequestHost,
        HostOutgoingRequest
    );
    Ok(())
}

fn add_responses(interface: &mut LinkerInstance<'_, State>) -> Result<()> {
    add(
        interface,
        "[method]outgoing-response.body",
        |state,
         (response,): (Resource<HostOutgoingResponse>,)|
         -> Result<Result<Resource<HostOutgoingBody>, ()>> {
            state.charge(BODY_BYTES)?;
            types::HostOutgoingResponse::body(&mut state.http(), response)
        },
    )?;
    add(
        interface,
        "[method]future-incoming-response.get",
        |state,
         (future,): (Resource<HostFutureIncomingResponse>,)|
         -> Result<Polled<Resource<HostIncomingResponse>>> {
            let response = types::HostFutureIncomingResponse::get(&mut state.http(), future)?;
            if let Some(Ok(Ok(response))) = &response {
                let bytes = fields(&state.http().table.get(response)?.headers);
                state.charge(bytes.saturating_add(TRAILERS_BYTES))?;
            }
            Ok(response)
        },
    )?;
    add(
        interface,
        "[method]future-trailers.get",
        |state,
         (future,): (Resource<HostFutureTrailers>,)|
         -> Result<Polled<Option<Resource<FieldMap>>>> {
            state.charge(TRAILERS_BYTES)?;
            types::HostFutureTrailers::get(&mut state.http(), future)
        },
    )
}

fn handle(
    http: &mut WasiHttpCtxView<'_>,
    request: Resource<HostOutgoingRequest>,
    options: Option<Resource<RequestOptions>>,
) -> Result<Result<Resource<HostFutureIncomingResponse>, ErrorCode>> {
    // A missing path is an empty one (see `path-with-query` in the WIT).
    let path = &mut http.table.get_mut(&request)?.path_with_query;
    path.get_or_insert_with(|| "/".to_owned());
    let result: HttpResult<_> = http.handle(request, options);
    match result {
        Ok(future) => Ok(Ok(future)),
        Err(error) => http.convert_error_code(error).map(Err),
    }
}

/// Converts the result for the guest; errors that are not for guests become traps.
fn header_result<T>(
    http: &mut WasiHttpCtxView<'_>,
    result: HeaderResult<T>,
) -> Result<Result<T, HeaderError>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => http.convert_header_error(error).map(Err),
    }
}
