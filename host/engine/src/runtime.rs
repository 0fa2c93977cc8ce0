//! Engines: where components are compiled for, and the pool that their instances are made
//! in.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::Linker;
use wasmtime::{Engine, EngineWeak};

use super::compile::{Compiled, EngineKind, InstanceRequirements};
use super::component::{check_size, linker};
use super::engine::{self, KeepResident, Pool};
use super::error::LoadError;
use super::limits::GuestLimits;
use super::state::State;
use telemetry::metrics::PoolGauge;

/// How large a memory can be at all, in bytes.
const MAX_MEMORY_BYTES: usize = 4 << 30;

/// How much address space each of the pools that functions share may reserve, of the 128 TiB
/// that a process has on the usual 64-bit machine: there is one for each kind of engine.
const MAX_POOL_BYTES: u64 = 36 << 40;

/// An engine with its pool, and what guests can import.
pub(super) struct Runtime {
    pub(super) linker: Linker<State>,
    pub(super) pool: Pool,
}

impl Runtime {
    /// A runtime with a pool of this size.
    pub(super) fn new(kind: EngineKind, pool: Pool) -> Result<Self, LoadError> {
        let engine = engine::for_serving(&engine::config(kind), &pool);
        let engine = engine.map_err(LoadError::Engine)?;
        let linker = linker(&engine).map_err(LoadError::Engine)?;
        Ok(Self { linker, pool })
    }

    pub(super) fn engine(&self) -> &Engine {
        self.linker.engine()
    }
}

/// How large the pool is that functions share.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// How many instances there may be at once, of all functions together.
    pub instances: NonZeroU32,
    /// How many memories each of them may have.
    pub memories: NonZeroU32,
    /// How many tables.
    pub tables: NonZeroU32,
    /// How many elements each table may have.
    pub table_elements: usize,
    /// How much memory the server may have, in bytes.
    pub total_bytes: u64,
}

/// What all functions of a server share: one engine and one pool for each kind of engine that
/// they need. That for most components is there from the beginning, others are made when they
/// are first needed.
pub struct SharedRuntime {
    usual: Arc<Runtime>,
    others: Mutex<BTreeMap<EngineKind, Arc<Runtime>>>,
    pool: Pool,
}

impl SharedRuntime {
    /// Lays the pool out.
    ///
    /// # Errors
    ///
    /// Fails if this machine does not have the address space.
    pub fn new(limits: PoolLimits) -> Result<Self, LoadError> {
        // Each pool has room for all instances, also the one whose instances have a heap.
        let largest = Pool {
            gc_heaps: 1,
            ..Pool::shared(&limits)
        };
        let pool = Pool {
            gc_heaps: 0,
            ..largest.fit_into(MAX_POOL_BYTES)
        };
        Ok(Self {
            usual: Runtime::new(EngineKind::default(), pool)?.into(),
            others: Mutex::default(),
            pool,
        })
    }

    /// How many instances there may be at once, of all functions together.
    #[must_use]
    pub fn max_instances(&self) -> u32 {
        self.pool.instances.saturating_sub(1).max(1)
    }

    /// The use of the pool.
    #[must_use]
    pub fn pool_gauge(&self) -> Option<PoolGauge> {
        engine::pool_gauge(self.usual.engine())
    }

    /// All engines, whose epochs have to be advanced.
    pub fn engines(&self) -> Vec<EngineWeak> {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let runtimes = [&self.usual].into_iter().chain(others.values());
        runtimes.map(|runtime| runtime.engine().weak()).collect()
    }

    /// The runtime with this kind of engine.
    pub(super) fn of_kind(&self, kind: EngineKind) -> Result<Arc<Runtime>, LoadError> {
        if kind == EngineKind::default() {
            return Ok(self.usual.clone());
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = others.get(&kind) {
            return Ok(runtime.clone());
        }
        let pool = Pool {
            gc_heaps: u32::from(kind.has_gc),
            ..self.pool
        };
        let runtime = Arc::new(Runtime::new(kind, pool)?);
        others.insert(kind, runtime.clone());
        Ok(runtime)
    }

    /// Checks that a component fits into the pool, with these limits on its instances.
    pub(super) fn check(
        pool: &Pool,
        compiled: &Compiled,
        limits: &GuestLimits,
    ) -> Result<(), LoadError> {
        let limits = GuestLimits {
            table_elements: limits.table_elements.min(pool.table_elements),
            ..*limits
        };
        check_size(&compiled.needs, &limits)?;
        check_parts(&compiled.needs, pool)
    }

    /// The size of each pool.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Pool {
    /// The pool that functions share.
    pub(super) fn shared(limits: &PoolLimits) -> Self {
        Self {
            // One more is for the first instance of a new version.
            instances: limits.instances.get().saturating_add(1),
            memories: limits.memories.get(),
            gc_heaps: 0,
            tables: limits.tables.get(),
            // Each function has a limit of its own, which is looked at when a memory
            // grows. Address space is there for the largest.
            memory_bytes: MAX_MEMORY_BYTES,
            table_elements: limits.table_elements,
            keep_resident: KeepResident::of(limits.total_bytes, limits.instances),
        }
    }
}

/// Checks that the pool has what one instance needs.
fn check_parts(needs: &InstanceRequirements, pool: &Pool) -> Result<(), LoadError> {
    let InstanceRequirements {
        memories, tables, ..
    } = *needs;
    if memories > pool.memories || tables > pool.tables {
        return Err(LoadError::TooManyParts {
            memories,
            tables,
            max_memories: pool.memories,
            max_tables: pool.tables,
        });
    }
    Ok(())
}
