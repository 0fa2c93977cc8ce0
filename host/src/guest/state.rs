//! What one instance may see: the data of its store.

use std::sync::Arc;

use http::{Request, Response};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use super::output::Output;
use crate::RequestId;
use crate::audit::{AuditCtx, AuditCtxView, AuditView};

/// The most random bytes that a guest gets in one call.
const MAX_RANDOM_BYTES: u64 = 1 << 20;

/// The data of the store in which one request runs.
pub(crate) struct State {
    request_id: RequestId,
    environment: Arc<[(String, String)]>,
    audit: AuditCtx,
    http: WasiHttpCtx,
    outbound: DenyOutbound,
    table: ResourceTable,
    /// Made when the guest first asks for something of it: many never do.
    wasi: Option<Box<WasiCtx>>,
}

impl State {
    pub(super) fn new(
        request_id: RequestId,
        environment: Arc<[(String, String)]>,
        audit: AuditCtx,
    ) -> Self {
        Self {
            request_id,
            environment,
            audit,
            http: WasiHttpCtx::new(),
            outbound: DenyOutbound,
            table: ResourceTable::new(),
            wasi: None,
        }
    }
}

impl WasiView for State {
    /// Gives the guest clocks, random numbers, its own variables, and a standard
    /// output and error that end in the server's log. It gets no arguments, no
    /// files, no network and an empty standard input.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| {
            let request_id = self.request_id;
            let output = |name| Output { request_id, name };
            let mut builder = WasiCtxBuilder::new();
            builder
                .envs(&self.environment)
                .stdout(output("stdout"))
                .stderr(output("stderr"))
                .max_random_size(MAX_RANDOM_BYTES)
                .allow_tcp(false)
                .allow_udp(false);
            Box::new(builder.build())
        });
        WasiCtxView {
            ctx,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.outbound,
        }
    }
}

impl AuditView for State {
    fn audit(&mut self) -> AuditCtxView<'_> {
        AuditCtxView {
            ctx: &mut self.audit,
        }
    }
}

/// Requests that a guest wants to send are refused.
struct DenyOutbound;

type Sent = Result<
    (
        Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

impl WasiHttpHooks for DenyOutbound {
    fn send_request(
        &mut self,
        _request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(std::future::ready(Err(Error::HttpRequestDenied)))
    }
}
