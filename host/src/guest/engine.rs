//! The engine: each option that is set, and why.

use wasmtime::{
    Cache, CacheConfig, Config, Enabled, Engine, Inlining, InstanceAllocationStrategy,
    PoolingAllocationConfig, ResourcesRequired, Result,
};

use super::limits::GuestLimits;

/// How much address space the memories of all instances may reserve together:
/// half of what a process has on the usual 64-bit machine.
const MAX_RESERVED_BYTES: u64 = 64 << 40;

/// The address space that one memory reserves: 4 GiB, so that no access needs a
/// bounds check, and its guard.
const MEMORY_SLOT_BYTES: u64 = (4 << 30) + (64 << 20);

/// More than any instance needs. The largest number there is would not do: the
/// pool rounds it up.
const UNLIMITED_BYTES: usize = 1 << 40;

/// What the pool has room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool {
    /// How many instances there may be at once.
    pub(super) instances: u32,
    /// How many memories each of them may have.
    pub(super) memories: u32,
    /// How many tables.
    pub(super) tables: u32,
    /// How large one memory may become.
    pub(super) memory_bytes: usize,
    /// How many elements one table may have.
    pub(super) table_elements: usize,
}

impl Pool {
    /// The pool of one component, which has what it asks for.
    pub(super) fn exact(needs: &ResourcesRequired, limits: &GuestLimits) -> Self {
        Self {
            instances: limits.instances.get(),
            memories: needs.num_memories,
            tables: needs.num_tables,
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
        }
    }

    /// One of `parts` pools that have its instances together, and one each at least.
    pub(super) fn part_of(self, parts: u32) -> Self {
        Self {
            instances: (self.instances / parts).max(1),
            ..self
        }
        .fitting(parts.into())
    }

    /// The same with fewer instances, if the memories of so many would take more than one
    /// of `parts` equal parts of the address space that pools may have.
    pub(super) fn fitting(self, parts: u64) -> Self {
        let slots = MAX_RESERVED_BYTES / parts / MEMORY_SLOT_BYTES;
        let fitting = slots / u64::from(self.memories.max(1));
        let fitting = u32::try_from(fitting).unwrap_or(u32::MAX);
        Self {
            instances: self.instances.min(fitting),
            ..self
        }
    }
}

/// An engine to compile with and to ask a component what it needs.
pub(super) fn for_compiling(config: &Config) -> Result<Engine> {
    Engine::new(config)
}

/// An engine that takes memories, tables and stacks for instances from a pool.
pub(super) fn for_serving(config: &Config, size: &Pool) -> Result<Engine> {
    let instances = size.instances;
    let mut pool = PoolingAllocationConfig::new();
    // The pool is exactly as large as the instances need together, so that it
    // cannot run out before the limit on instances is reached.
    pool.total_memories(size.memories.saturating_mul(instances))
        .total_tables(size.tables.saturating_mul(instances))
        .total_stacks(instances)
        // These two are counters, not reservations, and what they would limit is
        // limited by the number of instances already.
        .total_component_instances(u32::MAX)
        .total_core_instances(u32::MAX)
        // Growing beyond this fails in the guest, as it would where a machine has
        // no more memory, so that one request cannot take it all.
        .max_memory_size(size.memory_bytes)
        // Whoever asks for more than there is hears so when it is loaded.
        .max_component_instance_size(UNLIMITED_BYTES)
        .max_core_instance_size(UNLIMITED_BYTES)
        .max_memories_per_module(size.memories)
        .max_tables_per_module(size.tables)
        .table_elements(size.table_elements);
    // A slot keeps its pages for the next instance and is cleared in place:
    // giving pages back and faulting them in again is what costs most in a
    // short request. These are the sizes up to which a slot keeps pages.
    pool.linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(128 << 10)
        // Ask the kernel which pages were written, so that only those are
        // cleared. Older kernels cannot tell; there everything is cleared.
        .pagemap_scan(Enabled::Auto);
    if !PoolingAllocationConfig::is_pagemap_scan_available() {
        tracing::debug!(
            "this system cannot tell which pages were written (PAGEMAP_SCAN, Linux 6.7), so all \
             that a request may have written is cleared: requests cost more"
        );
    }

    let mut config = config.clone();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// With how many bytes the largest memory begins.
pub(super) fn initial_memory_bytes(needs: &ResourcesRequired) -> u64 {
    const PAGE_BYTES: u64 = 64 << 10;

    let pages = needs.max_initial_memory_size.unwrap_or(0);
    pages.saturating_mul(PAGE_BYTES)
}

/// What both engines have in common. It decides what the compiled code looks
/// like, so that the second one finds it in the cache.
pub(super) fn config(inlining: Inlining) -> Config {
    let mut config = Config::new();
    // A guest that computes for long gives way at every tick of the epoch, so
    // that it does not keep its neighbours on the same thread from answering.
    config.epoch_interruption(true);
    // WASI 0.2 has no concurrent calls into one instance; their bookkeeping
    // would cost each call.
    config.concurrency_support(false);
    config.compiler_inlining(inlining);
    // No guest of this server needs these, and each is code that can be wrong. Without a
    // garbage collector, an instance takes no more memories of the pool than it announces.
    config.wasm_gc(false).gc_support(false).wasm_threads(false);
    config
}

/// Keeps compiled code for the next start, in a folder of the user.
pub(super) fn keep_code(config: &mut Config) {
    match Cache::new(CacheConfig::new()) {
        Ok(cache) => {
            config.cache(Some(cache));
        }
        Err(error) => {
            tracing::warn!("compiled code is not kept for the next start: {error:#}");
        }
    }
}

/// Calls between the parts of a composition go through small adapters, which are
/// worth inlining. For it the compiler keeps all functions in memory and takes three times as
/// long: gigabytes, for a component as large as a JavaScript engine.
pub(super) fn inlining(component_bytes: usize) -> Inlining {
    if is_large(component_bytes) {
        Inlining::No
    } else {
        Inlining::Yes
    }
}

/// Whether a component of this size is compiled without inlining.
pub(super) fn is_large(component_bytes: usize) -> bool {
    const LARGE_BYTES: usize = 512 << 10;

    component_bytes >= LARGE_BYTES
}
