//! A compiled component that can serve.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use audit_log::AuditLog;
use audit_log::record::Component as Named;
use sha2::{Digest, Sha256};
use wasmtime::component::Linker;
use wasmtime::{Engine, EngineWeak, Store, UpdateDeadline};
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use telemetry::RequestInfo;
use telemetry::metrics::PoolGauge;

use crate::audit::{self, AuditCtx, AuditSource, Quota};
use crate::compile::{self, Artefact, Compiled, InstanceRequirements};
use crate::engine::{self, Pool};
use crate::error::LoadError;
use crate::limits::{GuestLimits, OutOfCpuTime};
use crate::outbound::Outbound;
use crate::runtime::{PoolLimits, Runtime, SharedRuntime};
use crate::state::State;
use crate::variable::Variable;
use crate::{error_code, host_functions};

/// A component that is ready to serve.
pub struct CompiledComponent {
    pre: ProxyPre<State>,
    audit: Arc<AuditSource>,
    environment: Arc<[(String, String)]>,
    config: Arc<WasiConfigVariables>,
    limits: GuestLimits,
    outbound: Arc<Outbound>,
    max_instances: u32,
    /// How much memory an instance begins with, in bytes.
    initial_bytes: AtomicU64,
}

/// What a component gets, beside its bytes.
#[derive(Debug, Clone)]
pub struct ComponentEnv {
    /// What the operator calls it.
    pub name: String,
    /// The variables of its environment.
    pub environment: Vec<Variable>,
    /// Those of `wasi:config`.
    pub config: Vec<Variable>,
    /// Where its entries go, and what else there is to say about it.
    pub audit: AuditLog,
    /// How much each of its requests may append there.
    pub quota: Quota,
    /// What each of its instances may take.
    pub limits: GuestLimits,
    /// The requests that it may send.
    pub outbound: Arc<Outbound>,
}

impl CompiledComponent {
    /// Loads a component for so many `threads`: one for each, or one for all if the component
    /// is so large that its code should be there once. Each has an engine and a part of the
    /// instances for itself, because threads that take places of one pool, and count who
    /// uses one component, wait for each other's caches in every request. The server may
    /// have `total_bytes` of memory.
    ///
    /// # Errors
    ///
    /// Fails if the artefact cannot be used, or an instance needs more than it may have.
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
        let count = if compile::is_large(*code_bytes) {
            1
        } else {
            u32::try_from(threads.get()).unwrap_or(u32::MAX)
        };
        check_size(needs, &env.limits)?;
        let pool = Pool::exact(*engine, needs, &env.limits, total_bytes).share_of(count);
        let load = |_| {
            let runtime = Runtime::new(*engine, pool)?;
            // Who uses it is counted for each as well.
            let env = ComponentEnv {
                outbound: Arc::new(Outbound::clone(&env.outbound)),
                ..env.clone()
            };
            Self::of(&runtime, artefact, env)
        };
        let apps: Vec<_> = (0..count).map(load).collect::<Result<_, _>>()?;
        log_loaded(apps[0].component(), needs, pool.instances * count);
        Ok(apps)
    }

    /// Loads a component for the pool that it shares with others.
    ///
    /// # Errors
    ///
    /// Fails like [`CompiledComponent::load_per_worker`], and if an instance needs more than the pool has for one.
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
        let component = artefact.map(runtime.engine())?;
        // What the first request would do otherwise.
        let prepared = component.initialize_copy_on_write_image();
        prepared.map_err(LoadError::Engine)?;
        let pre = runtime.linker.instantiate_pre(&component);
        let pre = pre.and_then(ProxyPre::new).map_err(LoadError::Link)?;
        let limits = env.limits;
        let component = Named {
            name: env.name.into(),
            sha256: artefact.compiled().sha256.clone().into(),
        };
        let audit = AuditSource {
            log: env.audit,
            quota: env.quota,
            component: component.into(),
        };
        Ok(Self {
            pre,
            audit: audit.into(),
            environment: pairs(env.environment).collect(),
            config: Arc::new(pairs(env.config).collect()),
            limits,
            outbound: env.outbound,
            max_instances: limits.instances.get().min(runtime.pool.instances),
            initial_bytes: AtomicU64::new(engine::initial_bytes(&artefact.compiled().needs)),
        })
    }

    /// Checks that [`CompiledComponent::load_per_worker`], or [`CompiledComponent::load_shared`] where there is a shared `pool`, would
    /// load a component, without setting up anything.
    ///
    /// # Errors
    ///
    /// Fails like them.
    pub fn check(
        compiled: &Compiled,
        limits: &GuestLimits,
        pool: Option<&PoolLimits>,
    ) -> Result<(), LoadError> {
        match pool {
            Some(pool) => SharedRuntime::check(&Pool::shared(pool), compiled, limits),
            None => check_size(&compiled.needs, limits),
        }
    }

    /// The name and the SHA-256 of the component.
    #[must_use]
    pub fn component(&self) -> &Arc<Named<'static>> {
        &self.audit.component
    }

    /// The use of the pool of its instances.
    #[must_use]
    pub fn pool_gauge(&self) -> Option<PoolGauge> {
        engine::pool_gauge(self.pre.engine())
    }

    /// The log to which its entries go.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.audit.log
    }

    /// What each of its instances may take.
    pub fn limits(&self) -> &GuestLimits {
        &self.limits
    }

    /// How many instances may live at the same time.
    pub fn max_instances(&self) -> u32 {
        self.max_instances
    }

    /// How much memory an instance begins with, in bytes: less than that, before there was
    /// one, if it has several memories.
    pub fn initial_bytes(&self) -> u64 {
        self.initial_bytes.load(Ordering::Relaxed)
    }

    /// An instance began with so many bytes.
    pub fn set_initial_bytes(&self, bytes: u64) {
        if self.initial_bytes() != bytes {
            self.initial_bytes.store(bytes, Ordering::Relaxed);
        }
    }

    /// The component, ready to be instantiated in a store of [`CompiledComponent::store`].
    #[must_use]
    pub fn pre(&self) -> &ProxyPre<State> {
        &self.pre
    }

    /// The engine, for whoever advances its epoch.
    pub fn engine(&self) -> EngineWeak {
        self.pre.engine().weak()
    }

    /// A store for `request`, and for others after it. It has no instance yet.
    ///
    /// The server does this for every request; whoever wants one part of a
    /// request alone, such as a benchmark, starts here.
    #[must_use]
    pub fn store(&self, request: Arc<RequestInfo>) -> Store<State> {
        let audit = AuditCtx::new(self.audit.clone(), request.clone());
        let outbound = self.outbound.ctx(request.id().clone());
        let (environment, config) = (self.environment.clone(), self.config.clone());
        let state = State::new(request, environment, config, audit, outbound, self.limits);
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| state.limiter());
        store.set_hostcall_fuel(self.limits.hostcall_bytes);
        store.set_max_component_handles(self.limits.handles);
        // At each tick of the epoch the guest gives way and then goes on. tokio's
        // own `yield_now` lets the runtime look for new input in between; a guest
        // that only woke itself up would get many turns before that.
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| {
            if store.data().is_out_of_cpu_time() {
                return Err(OutOfCpuTime.into());
            }
            let others = Box::pin(tokio::task::yield_now());
            Ok(UpdateDeadline::YieldCustom(1, others))
        });
        store
    }

    /// Prepares a store in which a request has ended for the next one.
    pub fn reuse(&self, store: &mut Store<State>, request: Arc<RequestInfo>) {
        let audit = AuditCtx::new(self.audit.clone(), request.clone());
        store.data_mut().begin_request(request, audit);
        store.set_epoch_deadline(1);
    }
}

/// Checks that one instance is within its limits before it does anything.
pub(super) fn check_size(
    needs: &InstanceRequirements,
    limits: &GuestLimits,
) -> Result<(), LoadError> {
    if needs.memory_bytes > limits.memory_bytes as u64 {
        return Err(LoadError::TooMuchMemory {
            needs: needs.memory_bytes,
            limit: limits.memory_bytes,
        });
    }
    if needs.table_elements > limits.table_elements as u64 {
        return Err(LoadError::TooManyElements {
            needs: needs.table_elements,
            limit: limits.table_elements,
        });
    }
    Ok(())
}

/// Everything that guests of this server can import.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_config::add_to_linker(&mut linker, |state: &mut State| {
        WasiConfig::from(state.config())
    })?;
    audit::add_to_linker(&mut linker)?;
    linker.allow_shadowing(true);
    host_functions::add_to_linker(&mut linker)?;
    error_code::add_to_linker(&mut linker)?;
    linker.allow_shadowing(false);
    Ok(linker)
}

fn pairs(variables: Vec<Variable>) -> impl Iterator<Item = (String, String)> {
    variables.into_iter().map(Into::into)
}

/// The SHA-256 of `bytes`, in hexadecimal digits.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn log_loaded(component: &Named<'_>, needs: &InstanceRequirements, max_instances: u32) {
    let InstanceRequirements {
        memories, tables, ..
    } = needs;
    let Named { name, sha256 } = component;
    tracing::info!(
        "loaded {name}, sha256:{sha256}: {memories} memories and {tables} tables an instance, \
         at most {max_instances} instances at once"
    );
}
