//! Engines: where components are compiled for, and the pool that their instances are made
//! in.

use std::num::NonZeroU32;
use std::sync::OnceLock;

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, EngineWeak, Inlining, PoolingAllocatorMetrics, ResourcesRequired};

use super::compiler::Compiler;
use super::engine::{self, Kept, Pool};
use super::error::{self, LoadError};
use super::instance_size::InstanceSize;
use super::limits::GuestLimits;
use super::state::State;
use super::{Code, check_size, imports, linker};

/// How large a memory can be at all, in bytes.
const MAX_MEMORY_BYTES: usize = 4 << 30;

/// How many pools share the address space: one for most components, and one for large ones.
const POOLS: u64 = 2;

/// An engine with its pool, and what guests can import.
pub(super) struct Runtime {
    pub(super) linker: Linker<State>,
    pub(super) pool: Pool,
}

impl Runtime {
    /// A runtime with a pool of this size.
    pub(super) fn new(inlining: Inlining, code: Code, pool: Pool) -> Result<Self, LoadError> {
        let mut config = engine::config(inlining);
        if code == Code::IsKept {
            engine::keep_code(&mut config);
        }
        let engine = engine::for_serving(&config, &pool).map_err(LoadError::Engine)?;
        let linker = linker(&engine).map_err(LoadError::Engine)?;
        Ok(Self { linker, pool })
    }

    fn engine(&self) -> &Engine {
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

/// What all functions of a server share: one engine and one pool for most of them, and one
/// of each for those that are large, because what code is compiled like is decided for a
/// whole engine. The second one is made when it is first needed.
pub struct SharedRuntime {
    usual: Runtime,
    large: OnceLock<Result<Runtime, String>>,
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
        let pool = Pool::shared(&limits).fitting(POOLS);
        Ok(Self {
            usual: Runtime::new(Inlining::Yes, Code::IsForgotten, pool)?,
            large: OnceLock::new(),
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

    /// The engines that there are, for whoever advances their epochs.
    pub(crate) fn engines(&self) -> Vec<EngineWeak> {
        let large = self.large.get().and_then(|large| large.as_ref().ok());
        [Some(&self.usual), large]
            .into_iter()
            .flatten()
            .map(|runtime| runtime.engine().weak())
            .collect()
    }

    /// Whether a component of this SHA-256 and size has been compiled before: it was to be
    /// served as it is then.
    pub(crate) fn knows(&self, component_bytes: usize, sha256: &str) -> bool {
        let runtime = self.of_size(component_bytes);
        runtime.is_ok_and(|runtime| self.compiler.knows(runtime.engine(), sha256))
    }

    /// The runtime for a component of this size.
    pub(super) fn of_size(&self, component_bytes: usize) -> Result<&Runtime, LoadError> {
        if !engine::is_large(component_bytes) {
            return Ok(&self.usual);
        }
        let large = self.large.get_or_init(|| {
            Runtime::new(Inlining::No, Code::IsForgotten, self.pool)
                .map_err(|error| error.to_string())
        });
        let failed = |error: &String| LoadError::Engine(wasmtime::Error::msg(error.clone()));
        large.as_ref().map_err(failed)
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
        let runtime = self.of_size(bytes.len())?;
        let (engine, inlining) = (runtime.engine(), engine::inlining(bytes.len()));
        let component = self.compiler.component(engine, inlining, bytes, sha256)?;
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
