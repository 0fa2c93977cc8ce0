//! The engine: each option that is set, and why.

use std::num::NonZeroU32;
use std::sync::Arc;

use wasmtime::{
    Collector, Config, Enabled, Engine, Inlining, InstanceAllocationStrategy,
    PoolingAllocationConfig, ResourcesRequired, Result,
};

use super::compile::{EngineKind, InstanceRequirements};
use super::instance_size::{POOL_CONTEXT_BYTES, POOL_CORE_INSTANCES};
use super::limits::GuestLimits;
use telemetry::metrics::{PoolGauge, PoolUse};

/// How much address space the memories of all instances may reserve together:
/// half of what a process has on the usual 64-bit machine.
const MAX_RESERVED_BYTES: u64 = 64 << 40;

/// The address space that one memory reserves: 4 GiB, so that no access needs a
/// bounds check, and its guard.
const MEMORY_SLOT_BYTES: u64 = (4 << 30) + (64 << 20);

/// What the pool has room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool {
    /// How many instances there may be at once.
    pub(super) instances: u32,
    /// How many memories each of them may have.
    pub(super) memories: u32,
    /// How many heaps of the garbage collector, which are memories that no component
    /// announces.
    pub(super) gc_heaps: u32,
    /// How many tables.
    pub(super) tables: u32,
    /// How large one memory may become.
    pub(super) memory_bytes: usize,
    /// How many elements one table may have.
    pub(super) table_elements: usize,
    /// What a slot keeps of the memory of its last guest, for the next one.
    pub(super) keep_resident: KeepResident,
}

/// How much memory slots of the pool keep that no guest uses. The system gets it back at
/// once, or never: so there must not be too much of it for the memory that the server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeepResident {
    /// Of each memory, in bytes.
    memory_bytes: usize,
    /// Of each stack, in bytes. None: all that its guest has used.
    stack_bytes: Option<usize>,
    /// In how many slots that are free, while guests of others components get new ones.
    slots: u32,
}

impl KeepResident {
    /// Where there is plenty of memory.
    const MAX: Self = Self {
        memory_bytes: 1 << 20,
        stack_bytes: None,
        slots: 100,
    };

    /// What a stack keeps where memory is short. To clear it costs each request a little.
    const STACK_BYTES: usize = 32 << 10;

    /// The least that a memory keeps: what a short request writes to.
    const MIN_BYTES: usize = 128 << 10;

    /// For a server that may have `total_bytes`, of which so many free slots may keep a
    /// quarter.
    pub(super) fn of(total_bytes: u64, instances: NonZeroU32) -> Self {
        /// A memory, and a stack that its guest has used up.
        const AMPLE_BYTES: u64 = 2 << 20;

        let each = total_bytes / 4 / u64::from(instances.get());
        if each >= AMPLE_BYTES {
            return Self::MAX;
        }
        let half = usize::try_from(each / 2).unwrap_or(usize::MAX);
        Self {
            memory_bytes: half.clamp(Self::MIN_BYTES, Self::MAX.memory_bytes),
            stack_bytes: Some(Self::STACK_BYTES),
            slots: 16,
        }
    }
}

impl Pool {
    /// The pool of one component, which has what it asks for.
    pub(super) fn exact(
        kind: EngineKind,
        needs: &InstanceRequirements,
        limits: &GuestLimits,
        total_bytes: u64,
    ) -> Self {
        Self {
            instances: limits.instances.get(),
            memories: needs.memories,
            gc_heaps: u32::from(kind.has_gc),
            tables: needs.tables,
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            keep_resident: KeepResident::of(total_bytes, limits.instances),
        }
    }

    /// One of `parts` pools that have its instances together, and one each at least.
    pub(super) fn share_of(self, parts: u32) -> Self {
        Self {
            instances: (self.instances / parts).max(1),
            ..self
        }
        .fit_into(MAX_RESERVED_BYTES / u64::from(parts))
    }

    /// How many memories an instance may have, with its heaps.
    fn slots(&self) -> u32 {
        self.memories.saturating_add(self.gc_heaps)
    }

    /// The same with fewer instances, if the memories of so many would take more address
    /// space than this.
    pub(super) fn fit_into(self, reserved_bytes: u64) -> Self {
        let slots = reserved_bytes / MEMORY_SLOT_BYTES;
        let fit_into = slots / u64::from(self.slots().max(1));
        let fit_into = u32::try_from(fit_into).unwrap_or(u32::MAX);
        Self {
            instances: self.instances.min(fit_into),
            ..self
        }
    }
}

/// An engine to compile with, in a child.
pub(super) fn for_compiling(config: &Config) -> Result<Engine> {
    Engine::new(config)
}

/// An engine that takes memories, tables and stacks for instances from a pool.
pub(super) fn for_serving(config: &Config, size: &Pool) -> Result<Engine> {
    let instances = size.instances;
    let mut pool = PoolingAllocationConfig::new();
    // The pool is exactly as large as the instances need together, so that it
    // cannot run out before the limit on instances is reached.
    pool.total_memories(size.slots().saturating_mul(instances))
        .total_gc_heaps(size.gc_heaps.saturating_mul(instances))
        .total_tables(size.tables.saturating_mul(instances))
        .total_stacks(instances)
        // These are counters, not reservations. An instance of a component has a memory or
        // a stack, whose number is limited.
        .total_component_instances(u32::MAX)
        .total_core_instances(instances.saturating_mul(POOL_CORE_INSTANCES))
        .max_core_instances_per_component(POOL_CORE_INSTANCES)
        .max_component_instance_size(POOL_CONTEXT_BYTES)
        .max_core_instance_size(POOL_CONTEXT_BYTES)
        // Growing beyond this fails in the guest, as it would where a machine has
        // no more memory, so that one request cannot take it all.
        .max_memory_size(size.memory_bytes)
        .max_memories_per_module(size.memories)
        .max_tables_per_module(size.tables)
        .table_elements(size.table_elements);
    // A slot keeps its pages for the next instance and is cleared in place:
    // giving pages back and faulting them in again is what costs most in a
    // short request. These are the sizes up to which a slot keeps pages.
    pool.linear_memory_keep_resident(size.keep_resident.memory_bytes)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(size.keep_resident.stack_bytes.unwrap_or_default())
        .max_unused_warm_slots(size.keep_resident.slots)
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
    config.async_stack_zeroing(size.keep_resident.stack_bytes.is_some());
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// With how many bytes the largest memory begins.
pub(super) fn initial_memory_bytes(needs: &ResourcesRequired) -> u64 {
    const PAGE_BYTES: u64 = 64 << 10;

    let pages = needs.max_initial_memory_size.unwrap_or(0);
    pages.saturating_mul(PAGE_BYTES)
}

/// How many bytes the memories and tables of an instance begin with: all of them, or if
/// there are several, the largest and a page of each other one.
pub(super) fn initial_bytes(needs: &InstanceRequirements) -> u64 {
    const PAGE_BYTES: u64 = 64 << 10;

    let others = needs.memories.saturating_sub(1);
    let memories = needs
        .memory_bytes
        .saturating_add(u64::from(others) * PAGE_BYTES);
    memories.saturating_add(
        needs
            .table_elements
            .saturating_mul(size_of::<usize>() as u64),
    )
}

/// The options of a kind of engine. They decide what the compiled code looks like, so that all
/// engines of the same kind run it.
pub(super) fn config(kind: EngineKind) -> Config {
    let mut config = Config::new();
    // A guest that computes for long yields at each tick of the epoch, so that it does not
    // keep its neighbours on the same thread from answering.
    config.epoch_interruption(true);
    // WASI 0.2 has no concurrent calls into one instance; their bookkeeping
    // would cost each call.
    config.concurrency_support(false);
    // Calls between the parts of a composition go through small adapters, which are
    // worth inlining.
    config.compiler_inlining(if kind.inlines {
        Inlining::Yes
    } else {
        Inlining::No
    });
    // All proposals that wasmtime has on by default are on, apart from these.
    if kind.has_gc {
        // It frees cycles, too. Each collection moves what is alive from one half of the
        // heap into the other.
        config.collector(Collector::Copying);
    } else {
        // Without `gc_support` alone, the compiler panics where it meets an exception.
        config
            .wasm_gc(false)
            .gc_support(false)
            .wasm_exceptions(false);
    }
    config
}

/// The use of the pool of `engine`, if it has one.
pub(super) fn pool_gauge(engine: &Engine) -> Option<PoolGauge> {
    let metrics = engine.pooling_allocator_metrics()?;
    Some(Arc::new(move || PoolUse {
        component_instances: metrics.component_instances(),
        core_instances: metrics.core_instances(),
        memories: metrics.memories() as u64,
        tables: metrics.tables() as u64,
        stacks: metrics.stacks() as u64,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn free_slots_keep_little_where_memory_is_short() {
        let thousand = NonZeroU32::new(1000).unwrap();
        assert_eq!(KeepResident::of(19 << 30, thousand), KeepResident::MAX);
        assert_eq!(KeepResident::of(u64::MAX, thousand), KeepResident::MAX);
        for (total, memory_bytes) in [
            (102 * MIB, KeepResident::MIN_BYTES),
            (410 * MIB, KeepResident::MIN_BYTES),
            (4000 * MIB, MIB / 2),
            (7999 * MIB, KeepResident::MAX.memory_bytes - MIB / 8000),
        ] {
            let keep_resident = KeepResident::of(total as u64, thousand);
            assert!(
                keep_resident.memory_bytes.abs_diff(memory_bytes) < 4096,
                "{keep_resident:?}"
            );
            assert_eq!(keep_resident.stack_bytes, Some(KeepResident::STACK_BYTES));
        }
        // Few slots may keep more.
        assert_eq!(
            KeepResident::of(102 << 20, NonZeroU32::new(8).unwrap()),
            KeepResident::MAX
        );
    }

    #[test]
    fn a_pool_reserves_address_space_for_the_heap_of_each_instance() {
        let pool = Pool {
            instances: 1000,
            memories: 8,
            gc_heaps: 0,
            tables: 1,
            memory_bytes: 1 << 20,
            table_elements: 1,
            keep_resident: KeepResident::MAX,
        };
        let space = MEMORY_SLOT_BYTES * 72;
        assert_eq!(pool.fit_into(space).instances, 9);
        let with_heaps = Pool {
            gc_heaps: 1,
            ..pool
        };
        assert_eq!(with_heaps.fit_into(space).instances, 8);
    }
}
