//! Runtimes: an engine, its linker, and the pool of its instances.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use telemetry::metrics::PoolGauge;
use wasmtime::component::Linker;
use wasmtime::{Engine, EngineWeak};

use super::compile::Compiled;
use super::engine::{self, KeepResident, Pool};
use super::engine_kind::EngineKind;
use super::error::LoadError;
use super::limits::GuestLimits;
use super::linker::linker;
use super::requirements::InstanceRequirements;
use super::state::State;

/// Maximum size of a 32-bit memory, in bytes.
const MAX_MEMORY_BYTES: usize = 4 << 30;

/// Limit of the address space of a shared pool, of which there is one for each of the six kinds of
/// engine. A process has 128 TiB on most 64-bit machines.
const MAX_POOL_BYTES: u64 = 20 << 40;

/// An engine with its pool and its linker.
pub(super) struct Runtime {
    pub(super) linker: Linker<State>,
    pub(super) pool: Pool,
}

impl Runtime {
    /// Creates a runtime with a pool of this size.
    pub(super) fn new(kind: EngineKind, pool: Pool) -> Result<Self, LoadError> {
        let engine = engine::for_serving(&engine::config(kind), &pool);
        let engine = engine.map_err(LoadError::Engine)?;
        let linker = linker(&engine, kind).map_err(LoadError::Engine)?;
        Ok(Self { linker, pool })
    }

    pub(super) fn engine(&self) -> &Engine {
        self.linker.engine()
    }
}

/// Size of the shared pool.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// Limit of concurrent instances of all functions together.
    pub instances: NonZeroU32,
    /// Limit of memories per instance.
    pub memories: NonZeroU32,
    /// Limit of tables per instance.
    pub tables: NonZeroU32,
    /// Limit of the elements of a table.
    pub table_elements: usize,
    /// Memory limit of the server, in bytes.
    pub total_bytes: u64,
}

/// The runtimes that all functions of a server share: one engine and one pool for each kind of
/// engine. The default kind is created at the start, others at first use.
pub struct SharedRuntime {
    default: Arc<Runtime>,
    others: Arc<Mutex<BTreeMap<EngineKind, Arc<Runtime>>>>,
    pool: Pool,
}

impl SharedRuntime {
    /// Creates the runtime of the default kind.
    ///
    /// # Errors
    ///
    /// Fails if the address space is not available.
    pub fn new(limits: PoolLimits) -> Result<Self, LoadError> {
        // Each pool has room for all instances, including the one with GC heaps.
        let largest = Pool {
            gc_heaps: 1,
            ..Pool::shared(&limits)
        };
        let pool = Pool {
            gc_heaps: 0,
            ..largest.fit_into(MAX_POOL_BYTES)
        };
        Ok(Self {
            default: Runtime::new(EngineKind::default(), pool)?.into(),
            others: Arc::default(),
            pool,
        })
    }

    /// Limit of concurrent instances of all functions together.
    #[must_use]
    pub fn max_instances(&self) -> u32 {
        self.pool.instances.saturating_sub(1).max(1)
    }

    /// Gauge of all pools together.
    #[must_use]
    pub fn pool_gauge(&self) -> Option<PoolGauge> {
        let default = engine::pool_gauge(self.default.engine())?;
        let others = self.others.clone();
        Some(Arc::new(move || {
            let others = others.lock().unwrap_or_else(PoisonError::into_inner);
            let gauges = others
                .values()
                .filter_map(|runtime| engine::pool_gauge(runtime.engine()));
            gauges
                .map(|gauge| gauge())
                .fold(default(), |sum, used| sum + used)
        }))
    }

    /// All engines, for the epoch ticker.
    pub(super) fn engines(&self) -> Vec<EngineWeak> {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let runtimes = [&self.default].into_iter().chain(others.values());
        runtimes.map(|runtime| runtime.engine().weak()).collect()
    }

    /// The runtime of this kind of engine, which is created at first use.
    pub(super) fn of_kind(&self, kind: EngineKind) -> Result<Arc<Runtime>, LoadError> {
        if kind == EngineKind::default() {
            return Ok(self.default.clone());
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = others.get(&kind) {
            return Ok(runtime.clone());
        }
        let pool = Pool {
            gc_heaps: u32::from(kind.has_gc),
            // As many parts as memories, of which most parts have one.
            stacks: engine::stacks(kind, self.pool.memories),
            ..self.pool
        };
        let runtime = Arc::new(Runtime::new(kind, pool)?);
        others.insert(kind, runtime.clone());
        Ok(runtime)
    }

    /// Checks that the instances of a component, with these limits, fit into the pool.
    pub(super) fn check(
        pool: &Pool,
        compiled: &Compiled,
        limits: &GuestLimits,
    ) -> Result<(), LoadError> {
        let limits = GuestLimits {
            table_elements: limits.table_elements.min(pool.table_elements),
            ..*limits
        };
        compiled.needs.check(&limits)?;
        check_parts(&compiled.needs, pool)?;
        let parts = compiled.needs.parts;
        if compiled.engine.is_concurrent && parts > pool.memories {
            return Err(LoadError::TooManyConcurrentParts {
                parts,
                limit: pool.memories,
            });
        }
        Ok(())
    }

    /// Size of each pool.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Pool {
    /// Size of a shared pool.
    pub(super) fn shared(limits: &PoolLimits) -> Self {
        Self {
            // One more, for the first instance of a new version.
            instances: limits.instances.get().saturating_add(1),
            memories: limits.memories.get(),
            gc_heaps: 0,
            stacks: 1,
            tables: limits.tables.get(),
            // Each function has its own limit, which is checked when a memory grows. Address space
            // is reserved for the largest.
            memory_bytes: MAX_MEMORY_BYTES,
            table_elements: limits.table_elements,
            keep_resident: KeepResident::of(limits.total_bytes, limits.instances),
        }
    }
}

/// Checks that the pool has enough memories and tables for an instance.
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn the_pools_of_all_kinds_fit_into_the_address_space() {
        let number = |value| NonZeroU32::new(value).unwrap();
        let runtime = SharedRuntime::new(PoolLimits {
            instances: number(1000),
            memories: number(4),
            tables: number(32),
            table_elements: 100_000,
            total_bytes: 4 << 30,
        })
        .unwrap();
        assert_eq!(runtime.max_instances(), 1000);
        for is_concurrent in [false, true] {
            for (inlines, has_gc) in [(false, false), (true, false), (false, true)] {
                let kind = EngineKind {
                    inlines,
                    has_gc,
                    is_concurrent,
                };
                runtime.of_kind(kind).unwrap();
            }
        }
    }
}
