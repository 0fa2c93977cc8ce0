//! Engines: where components are compiled for, and the pool that their instances are made
//! in.

use std::num::NonZeroU32;
use std::sync::OnceLock;

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, EngineWeak, PoolingAllocatorMetrics, ResourcesRequired};

use super::compiler::Compiler;
use super::engine::{self, EngineKind, Kept, Pool};
use super::error::{self, LoadError};
use super::instance_size::InstanceSize;
use super::limits::GuestLimits;
use super::state::State;
use super::{Code, check_size, imports, linker};

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
    pub(super) fn new(kind: EngineKind, code: Code, pool: Pool) -> Result<Self, LoadError> {
        let mut config = engine::config(kind);
        if code == Code::IsKept {
            engine::keep_code(&mut config);
        }
        let engine = engine::for_serving(&config, &pool).map_err(LoadError::Engine)?;
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

/// What all functions of a server share: for each kind of engine one, with one pool. Those
/// beside the usual one are made when they are first needed.
pub struct SharedRuntime {
    usual: Runtime,
    large: OnceLock<Result<Runtime, String>>,
    gc: OnceLock<Result<Runtime, String>>,
    pool: Pool,
    compiler: Compiler,
}

impl SharedRuntime {
    /// Lays the pool out, for components that `compiler` compiles.
    ///
    /// # Errors
    ///
    /// Fails if this machine does not have the address space.
    pub fn new(limits: PoolLimits, compiler: Compiler) -> Result<Self, LoadError> {
        // Each pool has room for all instances, also the one whose instances have a heap.
        let largest = Pool {
            gc_heaps: 1,
            ..Pool::shared(&limits)
        };
        let pool = Pool {
            gc_heaps: 0,
            ..largest.fitting(MAX_POOL_BYTES)
        };
        Ok(Self {
            usual: Runtime::new(EngineKind::USUAL, Code::IsForgotten, pool)?,
            large: OnceLock::new(),
            gc: OnceLock::new(),
            pool,
            compiler,
        })
    }

    /// How many instances there may be at once, of all functions together.
    #[must_use]
    pub fn max_instances(&self) -> u32 {
        self.pool.instances.saturating_sub(1).max(1)
    }

    /// What is in use of the pool.
    #[must_use]
    pub fn metrics(&self) -> Option<PoolingAllocatorMetrics> {
        self.usual.engine().pooling_allocator_metrics()
    }

    /// The engines that there are, whose epochs have to be advanced.
    pub(crate) fn engines(&self) -> Vec<EngineWeak> {
        let others = [&self.large, &self.gc].map(|other| other.get()?.as_ref().ok());
        others
            .into_iter()
            .flatten()
            .chain([&self.usual])
            .map(|runtime| runtime.engine().weak())
            .collect()
    }

    /// Whether the component in `bytes`, of this SHA-256, has been compiled before: it was to
    /// be served as it is then.
    pub(crate) fn knows(&self, bytes: &[u8], sha256: &str) -> bool {
        let kind = EngineKind::of(bytes).map_err(LoadError::from);
        let runtime = kind.and_then(|kind| self.of_kind(kind));
        runtime.is_ok_and(|runtime| self.compiler.knows(runtime.engine(), sha256))
    }

    /// The runtime of this kind.
    fn of_kind(&self, kind: EngineKind) -> Result<&Runtime, LoadError> {
        let other = match kind {
            EngineKind::USUAL => return Ok(&self.usual),
            EngineKind { has_gc: true, .. } => &self.gc,
            EngineKind { has_gc: false, .. } => &self.large,
        };
        let other = other.get_or_init(|| {
            let pool = Pool {
                gc_heaps: u32::from(kind.has_gc),
                ..self.pool
            };
            Runtime::new(kind, Code::IsForgotten, pool).map_err(|error| error.to_string())
        });
        let failed = |error: &String| LoadError::Engine(wasmtime::Error::msg(error.clone()));
        other.as_ref().map_err(failed)
    }

    /// Checks and compiles the component in `bytes`. Returns what an instance of it needs.
    pub(super) fn compile(
        &self,
        bytes: &[u8],
        sha256: &str,
        limits: &GuestLimits,
    ) -> Result<(&Runtime, Component), LoadError> {
        error::check_kind(bytes)?;
        InstanceSize::of(bytes)?.check()?;
        let kind = EngineKind::of(bytes)?;
        let runtime = self.of_kind(kind)?;
        let compiler = &self.compiler;
        let component = compiler.component(runtime.engine(), kind, bytes, sha256)?;
        imports::check(&component, &runtime.linker)?;
        let needs = component
            .resources_required()
            .ok_or(LoadError::ImportsModule)?;
        let limits = GuestLimits {
            table_elements: limits.table_elements.min(self.pool.table_elements),
            ..*limits
        };
        check_size(&needs, &limits)?;
        check_parts(&needs, &self.pool)?;
        Ok((runtime, component))
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
            kept: Kept::of(limits.total_bytes, limits.instances),
        }
    }
}

/// Checks that the pool has what one instance needs.
pub(super) fn check_parts(needs: &ResourcesRequired, pool: &Pool) -> Result<(), LoadError> {
    let ResourcesRequired {
        num_memories,
        num_tables,
        ..
    } = *needs;
    if num_memories > pool.memories || num_tables > pool.tables {
        return Err(LoadError::TooManyParts {
            memories: num_memories,
            tables: num_tables,
            max_memories: pool.memories,
            max_tables: pool.tables,
        });
    }
    Ok(())
}
