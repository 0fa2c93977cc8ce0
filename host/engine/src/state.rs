//! What one instance may see: the data of its store.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_config::WasiConfigVariables;
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::host_memory::{self, HostMemory};
use super::limits::{GuestLimits, Limiter};
use super::output::Output;
use crate::audit::{AuditCtx, AuditCtxView, AuditView};
use crate::outbound::OutboundCtx;
use crate::system_clock::SystemClock;
use memory_limit::{InstanceMemory, MemoryShortage};
use telemetry::RequestInfo;

/// The most random bytes that a guest gets in one call.
const MAX_RANDOM_BYTES: u64 = 1 << 20;

/// The data of a store, in which one request runs at a time.
pub struct State {
    request: Arc<RequestInfo>,
    limits: GuestLimits,
    limiter: Limiter,
    host_memory: HostMemory,
    environment: Arc<[(String, String)]>,
    config: Arc<WasiConfigVariables>,
    audit: AuditCtx,
    http: WasiHttpCtx,
    /// Before the table: it has to be dropped first.
    outbound: OutboundCtx,
    table: ResourceTable,
    /// Made when the guest first asks for something of it: many never do.
    wasi: Option<Box<Wasi>>,
}

/// The WASI context of an instance, and the outputs in it.
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
            http,
            outbound,
            table,
            wasi: None,
        }
    }

    /// Exchanges what belongs to the request that is over for what belongs to the
    /// next one. The rest belongs to the instance: its handles, and with them the
    /// WASI context, whose clock must not begin anew under a guest that has seen
    /// it.
    pub(super) fn begin_request(&mut self, request: Arc<RequestInfo>, audit: AuditCtx) {
        for output in self.wasi.iter().flat_map(|wasi| &wasi.outputs) {
            output.begin_request(request.clone());
        }
        self.outbound.begin_request(request.id().clone());
        self.request = request;
        self.audit = audit;
        self.limiter.shortage = None;
    }

    /// Prints what the guest has printed without the end of the line, because its request is over.
    pub fn flush_partial_lines(&self) {
        for output in self.wasi.iter().flat_map(|wasi| &wasi.outputs) {
            output.flush_partial_line();
        }
    }

    /// What decides how far memories and tables may grow.
    pub(super) fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }

    /// Whether the guest has computed for longer than it may.
    pub(super) fn is_out_of_cpu_time(&self) -> bool {
        self.request.cpu_clock().used() > self.limits.cpu_time
    }

    /// Lets the memories and tables of the guest be taken of `memory`.
    pub fn set_instance_memory(&mut self, memory: Arc<InstanceMemory>) {
        self.limiter.store_memory.set_instance_memory(memory);
    }

    /// How much memory the guest has when it begins. What it had announced beyond that is
    /// given back.
    pub fn release_unused_memory(&self) -> u64 {
        self.limiter.store_memory.release_unused()
    }

    /// Adds `bytes` that the server is about to keep for the guest.
    ///
    /// # Errors
    ///
    /// Fails, which traps the guest, beyond the host memory that it may have.
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
            .inspect_err(|_| limiter.refuse())?;
        Ok(())
    }

    /// What the guest finds in `wasi:config`.
    pub(super) fn config(&self) -> &WasiConfigVariables {
        &self.config
    }

    /// How large the memories of the guest are together.
    pub fn memory_bytes(&self) -> usize {
        self.limits.memory_bytes - self.limiter.memory_bytes
    }

    /// Why the guest got less memory, or smaller tables, than it wanted, if it did.
    pub fn memory_shortage(&self) -> Option<MemoryShortage> {
        self.limiter.shortage
    }

    /// Whether the guest has handles on its request or its response.
    pub fn holds_request_resources(&mut self) -> bool {
        // A stream of a body needs none of its own: it lives as long as the body.
        self.table.iter_mut().any(|entry| {
            entry.is::<HostIncomingRequest>()
                || entry.is::<HostIncomingBody>()
                || entry.is::<HostFutureTrailers>()
                || entry.is::<HostResponseOutparam>()
                || entry.is::<HostOutgoingBody>()
        })
    }

    /// Takes from a guest that is done everything it has handles on, which ends its bodies.
    pub fn drop_resources(&mut self) {
        // In the order in which they are dropped.
        self.outbound.close();
        self.table = ResourceTable::new();
    }
}

impl WasiView for State {
    /// Gives the guest clocks, random numbers, its own variables, and a standard
    /// output and error that end in the server's log. It gets no arguments, no
    /// files, no network and an empty standard input.
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
