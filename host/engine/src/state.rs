//! Data of a store: the capabilities and limits of one instance.

use std::sync::Arc;

use memory_limit::{InstanceMemory, MemoryShortage};
use telemetry::RequestInfo;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_config::WasiConfigVariables;
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::p3;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::host_memory::{self, HostMemory};
use super::limits::{GuestLimits, Limiter};
use super::output::Output;
use crate::audit::{AuditCtx, AuditCtxView, AuditView};
use crate::next::{Next, NextHandler};
use crate::outbound::OutboundCtx;
use crate::system_clock::SystemClock;

/// Limit of random bytes per call.
const MAX_RANDOM_BYTES: u64 = 1 << 20;

/// Data of a store, which serves one request at a time.
pub struct State {
    request: Arc<RequestInfo>,
    limits: GuestLimits,
    limiter: Limiter,
    host_memory: HostMemory,
    environment: Arc<[(String, String)]>,
    config: Arc<WasiConfigVariables>,
    audit: AuditCtx,
    next: Next,
    http: WasiHttpCtx,
    /// Declared before the table, so that it is dropped first.
    outbound: OutboundCtx,
    table: ResourceTable,
    /// Created at first use, because many guests never use it.
    wasi: Option<Box<Wasi>>,
}

/// WASI context of an instance, and its outputs.
struct Wasi {
    ctx: WasiCtx,
    outputs: [Output; 2],
}

impl State {
    pub(super) fn new(
        request: Arc<RequestInfo>,
        environment: Arc<[(String, String)]>,
        config: Arc<WasiConfigVariables>,
        audit: AuditCtx,
        outbound: OutboundCtx,
        limits: GuestLimits,
    ) -> Self {
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(limits.field_bytes);
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Self {
            request,
            limits,
            limiter: Limiter::new(&limits),
            host_memory: HostMemory::new(limits.host_bytes),
            environment,
            config,
            audit,
            next: Next::default(),
            http,
            outbound,
            table,
            wasi: None,
        }
    }

    /// Replaces the state of the last request by that of the next. The rest belongs to the
    /// instance: its handles, and the WASI context, whose monotonic clock must not restart.
    pub(super) fn begin_request(&mut self, request: Arc<RequestInfo>, audit: AuditCtx) {
        for output in self.wasi.iter().flat_map(|wasi| &wasi.outputs) {
            output.begin_request(request.clone());
        }
        self.outbound.begin_request(request.id().clone());
        self.request = request;
        self.audit = audit;
        self.limiter.shortage = None;
    }

    /// Sets the next handler of a middleware, for the following requests.
    pub fn set_next(&mut self, handler: NextHandler) {
        self.next.set_handler(handler);
    }

    /// The next handler of a middleware.
    pub(super) fn next(&mut self) -> &mut Next {
        &mut self.next
    }

    /// The request that the guest serves.
    pub(super) fn request_info(&self) -> &Arc<RequestInfo> {
        &self.request
    }

    /// The requests of the guest that are under way.
    pub(super) fn outbound(&mut self) -> &mut OutboundCtx {
        &mut self.outbound
    }

    /// Writes the partial lines of a guest whose request has ended.
    pub fn flush_partial_lines(&self) {
        for output in self.wasi.iter().flat_map(|wasi| &wasi.outputs) {
            output.flush_partial_line();
        }
    }

    /// The limiter of memories and tables.
    pub(super) fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }

    /// Whether the guest has exceeded its CPU time.
    pub(super) fn is_out_of_cpu_time(&self) -> bool {
        self.request.cpu_clock().used() > self.limits.cpu_time
    }

    /// Sets the memory of the instance, from which memories and tables are taken.
    pub fn set_instance_memory(&mut self, memory: Arc<InstanceMemory>) {
        self.limiter.store_memory.set_instance_memory(memory);
    }

    /// The memory that is charged to the instance, in bytes: memories, tables, all stacks but the
    /// first, and what the server retains for it.
    pub fn accounted_bytes(&self) -> u64 {
        self.limiter.store_memory.bytes()
    }

    /// Charges `bytes` that the server is about to retain for the guest.
    ///
    /// # Errors
    ///
    /// Fails if the host memory limit is exceeded, which traps the guest.
    pub(super) fn charge(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let Self {
            host_memory,
            table,
            outbound,
            limiter,
            ..
        } = self;
        let count = || host_memory::retained_bytes(table).saturating_add(outbound.buffered_bytes());
        host_memory
            .charge(bytes, count, |bytes| limiter.take_memory(bytes))
            .inspect_err(|_| limiter.note_denial())?;
        Ok(())
    }

    /// The variables of `wasi:config`.
    pub(super) fn config(&self) -> &WasiConfigVariables {
        &self.config
    }

    /// Size of the memories of the guest together, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.limits.memory_bytes - self.limiter.memory_bytes
    }

    /// Why a growth of a memory or a table was denied, if one was.
    pub fn memory_shortage(&self) -> Option<MemoryShortage> {
        self.limiter.shortage
    }

    /// Whether the guest has handles of its request or response.
    pub fn holds_request_resources(&mut self) -> bool {
        // Streams of a body do not count: they live as long as the body.
        self.table.iter_mut().any(|entry| {
            entry.is::<HostIncomingRequest>()
                || entry.is::<HostIncomingBody>()
                || entry.is::<HostFutureTrailers>()
                || entry.is::<HostResponseOutparam>()
                || entry.is::<HostOutgoingBody>()
                || entry.is::<p3::Request>()
                || entry.is::<p3::Response>()
        })
    }

    /// Breaks the bodies of requests that the guest has not completed. The server calls it before it
    /// drops the store, which ends them without an error.
    pub fn break_bodies(&self) {
        self.outbound.close();
    }

    /// Drops all resources of a guest that has ended, which ends its bodies.
    pub fn drop_resources(&mut self) {
        // In the order of the drop of the store.
        self.break_bodies();
        self.next = Next::default();
        self.table = ResourceTable::new();
    }
}

impl WasiView for State {
    /// The guest gets clocks, random numbers, its own variables, and standard output and error that
    /// go to the server's log. It gets no arguments, files or network, and an empty standard input.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.get_or_insert_with(|| {
            let output = |name| Output::new(self.request.clone(), name, self.limits.output_bytes);
            let [stdout, stderr] = ["stdout", "stderr"].map(output);
            let ctx = WasiCtxBuilder::new()
                .envs(&self.environment)
                .max_random_size(MAX_RANDOM_BYTES)
                .wall_clock(SystemClock)
                .allow_tcp(false)
                .allow_udp(false)
                .stdout(stdout.clone())
                .stderr(stderr.clone())
                .build();
            Box::new(Wasi {
                ctx,
                outputs: [stdout, stderr],
            })
        });
        WasiCtxView {
            ctx: &mut wasi.ctx,
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
