//! A compiled component, loaded into an engine and ready to be instantiated.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use audit_log::AuditLog;
use audit_log::record::Component as Named;
use bytes::Bytes;
use http::Request;
use http_body::Body;
use memory_limit::StoreMemory;
use telemetry::RequestInfo;
use telemetry::metrics::PoolGauge;
use wasmtime::component::InstancePre;
use wasmtime::{EngineWeak, Store, UpdateDeadline};
use wasmtime_wasi_config::WasiConfigVariables;
use wasmtime_wasi_http::Error;

use crate::audit::{AuditCtx, AuditSource, Quota};
use crate::compile::{Artefact, Compiled};
use crate::engine::{self, Pool};
use crate::engine_kind::is_large;
use crate::error::LoadError;
use crate::handler::{Call, Handler, HandlerPre, ResponseHead};
use crate::limits::{GuestLimits, OutOfCpuTime};
use crate::outbound::Outbound;
use crate::requirements::InstanceRequirements;
use crate::runtime::{PoolLimits, Runtime, SharedRuntime};
use crate::state::State;
use crate::variable::Variable;
use crate::wasi_version::WasiVersion;

/// Number of entries that wasmtime keeps for a handle of a task, a stream or a future: both ends of a
/// stream and what they share.
const ENTRIES_PER_HANDLE: usize = 3;

/// A component that is loaded into an engine, with its limits and capabilities.
pub struct CompiledComponent {
    pre: HandlerPre,
    wasi: WasiVersion,
    audit: Arc<AuditSource>,
    environment: Arc<[(String, String)]>,
    config: Arc<WasiConfigVariables>,
    limits: GuestLimits,
    outbound: Arc<Outbound>,
    max_instances: u32,
    /// Memory that an instance starts with, in bytes.
    initial_bytes: AtomicU64,
    /// Memory that an instance usually has at the end of a request, in bytes.
    usual_bytes: AtomicU64,
    /// What an instance can use of its stacks but the first, in bytes.
    further_stack_bytes: u64,
}

/// Name, variables, limits and capabilities of a component.
#[derive(Debug, Clone)]
pub struct ComponentEnv {
    /// The name that the operator gave it.
    pub name: String,
    /// Its environment variables.
    pub environment: Vec<Variable>,
    /// Its variables of `wasi:config`.
    pub config: Vec<Variable>,
    /// The audit log of its entries and of events about it.
    pub audit: AuditLog,
    /// The audit quota of each of its requests.
    pub quota: Quota,
    /// The limits of each of its instances.
    pub limits: GuestLimits,
    /// Its outbound requests.
    pub outbound: Arc<Outbound>,
}

impl CompiledComponent {
    /// Loads a component for each of `threads` workers, or once for all if its code is so large
    /// that it should exist once. Each has its own engine and a share of the instances: workers
    /// that share a pool and a reference count contend for the same cache lines in every request.
    /// `total_bytes` is the memory limit of the server.
    ///
    /// # Errors
    ///
    /// Fails if the artefact cannot be loaded, or an instance needs more than its limits.
    pub fn load_per_worker(
        artefact: &Artefact,
        env: &ComponentEnv,
        threads: NonZeroUsize,
        total_bytes: u64,
    ) -> Result<Vec<Self>, LoadError> {
        let Compiled {
            engine,
            needs,
            code_bytes,
            ..
        } = artefact.compiled();
        let count = if is_large(*code_bytes) {
            1
        } else {
            u32::try_from(threads.get()).unwrap_or(u32::MAX)
        };
        needs.check(&env.limits)?;
        let pool = Pool::exact(*engine, needs, &env.limits, total_bytes).share_of(count);
        let load = |_| {
            let runtime = Runtime::new(*engine, pool)?;
            // A reference count for each, to avoid contention.
            let env = ComponentEnv {
                outbound: Arc::new(Outbound::clone(&env.outbound)),
                ..env.clone()
            };
            Self::of(&runtime, artefact, env)
        };
        let apps: Vec<_> = (0..count).map(load).collect::<Result<_, _>>()?;
        log_loaded(&apps[0], needs, pool.instances * count);
        Ok(apps)
    }

    /// Loads a component into the engine and the pool that it shares with others.
    ///
    /// # Errors
    ///
    /// Fails like [`load_per_worker`](Self::load_per_worker), and if an instance needs more than
    /// the pool has for one.
    pub fn load_shared(
        shared: &SharedRuntime,
        artefact: &Artefact,
        env: ComponentEnv,
    ) -> Result<Self, LoadError> {
        let compiled = artefact.compiled();
        SharedRuntime::check(shared.pool(), compiled, &env.limits)?;
        let runtime = shared.of_kind(compiled.engine)?;
        Self::of(&runtime, artefact, env)
    }

    fn of(runtime: &Runtime, artefact: &Artefact, env: ComponentEnv) -> Result<Self, LoadError> {
        let compiled = artefact.compiled();
        let further_stacks = engine::stacks(compiled.engine, compiled.needs.parts) - 1;
        let further_stack_bytes =
            u64::from(further_stacks).saturating_mul(memory_limit::INSTANCE_BYTES);
        let component = artefact.map(runtime.engine())?;
        // Otherwise the first request would do this.
        let prepared = component.initialize_copy_on_write_image();
        prepared.map_err(LoadError::Engine)?;
        let pre = runtime.linker.instantiate_pre(&component);
        let wasi = compiled.wasi;
        let pre = pre.and_then(|pre| HandlerPre::new(pre, wasi));
        let pre = pre.map_err(LoadError::Link)?;
        let limits = env.limits;
        let component = Named {
            name: env.name.into(),
            sha256: compiled.sha256.clone().into(),
        };
        let audit = AuditSource {
            log: env.audit,
            quota: env.quota,
            component: component.into(),
        };
        Ok(Self {
            pre,
            wasi,
            audit: audit.into(),
            environment: pairs(env.environment).collect(),
            config: Arc::new(pairs(env.config).collect()),
            limits,
            outbound: env.outbound,
            max_instances: limits.instances.get().min(runtime.pool.instances),
            initial_bytes: AtomicU64::new(
                compiled
                    .needs
                    .initial_bytes()
                    .saturating_add(further_stack_bytes),
            ),
            usual_bytes: AtomicU64::default(),
            further_stack_bytes,
        })
    }

    /// Checks that a component can be loaded, per worker or into the shared `pool`, without an
    /// engine.
    ///
    /// # Errors
    ///
    /// Fails if an instance needs more than its limits, or than the pool has for one.
    pub fn check(
        compiled: &Compiled,
        limits: &GuestLimits,
        pool: Option<&PoolLimits>,
    ) -> Result<(), LoadError> {
        match pool {
            Some(pool) => SharedRuntime::check(&Pool::shared(pool), compiled, limits),
            None => compiled.needs.check(limits),
        }
    }

    /// Name and SHA-256 of the component.
    #[must_use]
    pub fn component(&self) -> &Arc<Named<'static>> {
        &self.audit.component
    }

    /// Gauge of its pool.
    #[must_use]
    pub fn pool_gauge(&self) -> Option<PoolGauge> {
        engine::pool_gauge(self.pre.engine())
    }

    /// The audit log of its entries.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.audit.log
    }

    /// The limits of each of its instances.
    pub fn limits(&self) -> &GuestLimits {
        &self.limits
    }

    /// Limit of concurrent instances.
    pub fn max_instances(&self) -> u32 {
        self.max_instances
    }

    /// Memory that an instance starts with, in bytes: memories, tables, and all stacks but the
    /// first. Before the first instance, an estimate that is too low for several memories.
    pub fn initial_bytes(&self) -> u64 {
        self.initial_bytes.load(Relaxed)
    }

    /// Memory that instances had at the end of the last requests, in bytes, up to twice that at
    /// their start. Where requests wait for it, a guest that uses as much is denied nothing later.
    pub fn usual_bytes(&self) -> u64 {
        self.initial_bytes().max(self.usual_bytes.load(Relaxed))
    }

    /// Records the memory that an instance was measured to start with.
    pub fn record_start(&self, bytes: u64) {
        set(&self.initial_bytes, bytes);
    }

    /// Records the memory of an instance at the end of a request.
    pub fn record_end(&self, bytes: u64) {
        /// Beyond this multiple of the initial memory, a request is not a usual one.
        const MAX_GROWTH: u64 = 2;
        /// The usual memory falls by the difference divided by this at each request.
        const DECLINE: u64 = 16;

        let max = self.initial_bytes().saturating_mul(MAX_GROWTH);
        let bytes = bytes.min(max);
        let usual = self.usual_bytes.load(Relaxed);
        let declined = usual - usual.saturating_sub(bytes).div_ceil(DECLINE);
        set(&self.usual_bytes, bytes.max(declined));
    }

    /// The version of WASI of its handler.
    pub fn wasi_version(&self) -> WasiVersion {
        self.wasi
    }

    /// Instantiates the component in a store of [`CompiledComponent::store`].
    ///
    /// # Errors
    ///
    /// Fails if the pool or the limits have no room, or a start function traps.
    pub async fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Handler> {
        self.pre.instantiate(store).await
    }

    /// The component with its resolved imports, for benchmarks that call other exports.
    pub fn instance_pre(&self) -> &InstancePre<State> {
        self.pre.instance_pre()
    }

    /// Puts a request into a store of [`CompiledComponent::store`], for the handler of its instance.
    /// No guest code runs.
    ///
    /// # Errors
    ///
    /// Fails if the request names no valid host.
    pub fn call<B>(
        &self,
        store: &mut Store<State>,
        request: Request<B>,
        is_tls: bool,
    ) -> wasmtime::Result<(Call, ResponseHead)>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Error>,
    {
        self.pre.call(store, request, is_tls)
    }

    /// The engine, for the epoch ticker.
    pub fn engine(&self) -> EngineWeak {
        self.pre.engine().weak()
    }

    /// Creates a store for `request` and later ones, without an instance. The server calls it for
    /// every new instance; benchmarks call it to measure parts of a request.
    #[must_use]
    pub fn store(&self, request: Arc<RequestInfo>) -> Store<State> {
        let audit = AuditCtx::new(self.audit.clone(), request.clone());
        let outbound = self.outbound.ctx(request.id().clone());
        let (environment, config) = (self.environment.clone(), self.config.clone());
        let mut state = State::new(request, environment, config, audit, outbound, self.limits);
        state.limiter().store_memory = StoreMemory::with_stacks(self.further_stack_bytes);
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| state.limiter());
        store.set_hostcall_fuel(self.limits.hostcall_bytes);
        store.set_max_component_handles(self.limits.handles);
        if let Some(table) = store.concurrent_resource_table() {
            table.set_max_capacity(self.limits.handles.saturating_mul(ENTRIES_PER_HANDLE));
        }
        // At each epoch tick, the guest yields. tokio's `yield_now` lets the runtime poll for new
        // I/O in between; a guest that only wakes itself would be polled many times before that.
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| {
            if store.data().is_out_of_cpu_time() {
                return Err(OutOfCpuTime.into());
            }
            let yielded = Box::pin(tokio::task::yield_now());
            Ok(UpdateDeadline::YieldCustom(1, yielded))
        });
        store
    }

    /// Prepares a store whose request has ended for the next one.
    pub fn reuse(&self, store: &mut Store<State>, request: Arc<RequestInfo>) {
        let audit = AuditCtx::new(self.audit.clone(), request.clone());
        store.data_mut().begin_request(request, audit);
        store.set_epoch_deadline(1);
    }
}

/// Stores a figure that rarely changes: a write of the same value would cost other threads a cache
/// miss.
fn set(figure: &AtomicU64, value: u64) {
    if figure.load(Relaxed) != value {
        figure.store(value, Relaxed);
    }
}

fn pairs(variables: Vec<Variable>) -> impl Iterator<Item = (String, String)> {
    variables.into_iter().map(Into::into)
}

fn log_loaded(app: &CompiledComponent, needs: &InstanceRequirements, max_instances: u32) {
    let InstanceRequirements {
        memories, tables, ..
    } = needs;
    let Named { name, sha256 } = &**app.component();
    let wasi = app.wasi_version();
    tracing::info!(
        "loaded {name}, sha256:{sha256}, for WASI {wasi}: {memories} memories and {tables} tables per instance, \
         at most {max_instances} concurrent instances"
    );
}
