//! Configuration of wasmtime engines and pools, with the reasons.

use std::num::NonZeroU32;
use std::sync::Arc;

use telemetry::metrics::{PoolGauge, PoolUse};
use wasmtime::{
    Collector, Config, Enabled, Engine, Inlining, InstanceAllocationStrategy,
    PoolingAllocationConfig, Result,
};

use super::engine_kind::EngineKind;
use super::instance_size::{POOL_CONTEXT_BYTES, POOL_CORE_INSTANCES};
use super::limits::GuestLimits;
use super::requirements::InstanceRequirements;

/// Limit of the address space that the memories of all instances reserve together: half of the
/// address space of a process on most 64-bit machines.
const MAX_RESERVED_BYTES: u64 = 64 << 40;

/// The address space that one memory reserves: 4 GiB, so that no access needs a
/// bounds check, and its guard.
const MEMORY_SLOT_BYTES: u64 = (4 << 30) + (64 << 20);

/// The size of a pool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool {
    /// Limit of concurrent instances.
    pub(super) instances: u32,
    /// Limit of memories per instance.
    pub(super) memories: u32,
    /// Number of GC heaps per instance, which are memories that the component does not declare.
    pub(super) gc_heaps: u32,
    /// Limit of stacks per instance.
    pub(super) stacks: u32,
    /// Limit of tables per instance.
    pub(super) tables: u32,
    /// Size limit of a memory, in bytes.
    pub(super) memory_bytes: usize,
    /// Limit of the elements of a table.
    pub(super) table_elements: usize,
    /// Memory that a free slot keeps resident for the next guest.
    pub(super) keep_resident: KeepResident,
}

/// Memory that free slots of the pool keep resident. A slot either returns memory to the system at
/// once, or keeps it until it is used again: so the total must be small compared with the memory
/// limit of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeepResident {
    /// Per linear memory, in bytes.
    memory_bytes: usize,
    /// Per stack, in bytes. None: all that the guest has used.
    stack_bytes: Option<usize>,
    /// Number of free slots that keep memory while guests of other components get new ones.
    slots: u32,
}

impl KeepResident {
    /// Without memory pressure.
    const MAX: Self = Self {
        memory_bytes: 1 << 20,
        stack_bytes: None,
        slots: 100,
    };

    /// Per stack where memory is limited. Clearing it costs each request a little.
    const STACK_BYTES: usize = 32 << 10;

    /// Minimum per linear memory: the amount that a short request writes to.
    const MIN_BYTES: usize = 128 << 10;

    /// For a server with a memory limit of `total_bytes`, a quarter of which the free slots of all
    /// `instances` may keep.
    pub(super) fn of(total_bytes: u64, instances: NonZeroU32) -> Self {
        /// A linear memory, and a stack that is used completely.
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
    /// A pool for one component, of exactly the size that it needs.
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
            stacks: stacks(kind, needs.parts),
            tables: needs.tables,
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            keep_resident: KeepResident::of(total_bytes, limits.instances),
        }
    }

    /// One of `parts` pools that share its instances, with at least one each.
    pub(super) fn share_of(self, parts: u32) -> Self {
        Self {
            instances: (self.instances / parts).max(1),
            ..self
        }
        .fit_into(MAX_RESERVED_BYTES / u64::from(parts))
    }

    /// Limit of memories per instance, including GC heaps.
    fn slots(&self) -> u32 {
        self.memories.saturating_add(self.gc_heaps)
    }

    /// The pool with fewer instances, if the memories of all would exceed this address space. There
    /// are at most as many stacks as memories would fit: each takes two mappings, of which a process
    /// may have 65,530 by default (`vm.max_map_count`).
    pub(super) fn fit_into(self, reserved_bytes: u64) -> Self {
        let slots = reserved_bytes / MEMORY_SLOT_BYTES;
        let fitting = slots / u64::from(self.slots().max(self.stacks).max(1));
        let fitting = u32::try_from(fitting).unwrap_or(u32::MAX);
        Self {
            instances: self.instances.min(fitting),
            ..self
        }
    }
}

/// Limit of stacks per instance with this number of parts. Concurrent tasks need one for the
/// instance, and one for each part whose task may be blocked.
pub(super) fn stacks(kind: EngineKind, parts: u32) -> u32 {
    if kind.is_concurrent {
        parts.saturating_add(1)
    } else {
        1
    }
}

/// An engine for compilation, in a child.
pub(super) fn for_compiling(config: &Config) -> Result<Engine> {
    Engine::new(config)
}

/// An engine whose instances get memories, tables and stacks from a pool.
pub(super) fn for_serving(config: &Config, size: &Pool) -> Result<Engine> {
    let instances = size.instances;
    let mut pool = PoolingAllocationConfig::new();
    // The pool has exactly the size that all instances need, so that the limit on instances is
    // reached first.
    pool.total_memories(size.slots().saturating_mul(instances))
        .total_gc_heaps(size.gc_heaps.saturating_mul(instances))
        .total_tables(size.tables.saturating_mul(instances))
        .total_stacks(size.stacks.saturating_mul(instances))
        // Counters, not reservations. The number of instances is limited by their memories or
        // stacks.
        .total_component_instances(u32::MAX)
        .total_core_instances(instances.saturating_mul(POOL_CORE_INSTANCES))
        .max_core_instances_per_component(POOL_CORE_INSTANCES)
        .max_component_instance_size(POOL_CONTEXT_BYTES)
        .max_core_instance_size(POOL_CONTEXT_BYTES)
        // Growing beyond fails in the guest, as on a machine without free memory.
        .max_memory_size(size.memory_bytes)
        .max_memories_per_module(size.memories)
        .max_tables_per_module(size.tables)
        .table_elements(size.table_elements);
    // A free slot keeps its pages and is cleared in place, because returning pages and faulting
    // them in again dominates the cost of a short request. These are the sizes up to which it keeps
    // pages.
    pool.linear_memory_keep_resident(size.keep_resident.memory_bytes)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(size.keep_resident.stack_bytes.unwrap_or_default())
        .max_unused_warm_slots(size.keep_resident.slots)
        // With PAGEMAP_SCAN, only pages that were written are cleared; on older kernels, all are.
        .pagemap_scan(Enabled::Auto);
    if !PoolingAllocationConfig::is_pagemap_scan_available() {
        tracing::debug!(
            "PAGEMAP_SCAN is not available (it needs Linux 6.7): all pages that a request may have \
             written are cleared, which costs CPU time"
        );
    }

    let mut config = config.clone();
    config.async_stack_zeroing(size.keep_resident.stack_bytes.is_some());
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// The options of a kind of engine. They determine the compiled code, so that all engines of the
/// same kind can load it.
pub(super) fn config(kind: EngineKind) -> Config {
    let mut config = Config::new();
    // A CPU-bound guest yields at each epoch tick, so that it does not block other requests of its
    // worker.
    config.epoch_interruption(true);
    config.concurrency_support(kind.is_concurrent);
    // Calls between the components of a composition go through small adapters, which are worth
    // inlining.
    config.compiler_inlining(if kind.inlines {
        Inlining::Yes
    } else {
        Inlining::No
    });
    // All proposals that wasmtime enables by default stay enabled, apart from these.
    if kind.has_gc {
        // It frees cycles as well. A collection moves live objects from one half of the heap to the
        // other.
        config.collector(Collector::Copying);
    } else {
        // With `gc_support` alone switched off, the compiler panics at exceptions.
        config
            .wasm_gc(false)
            .gc_support(false)
            .wasm_exceptions(false);
    }
    config
}

/// Gauge of the pool of `engine`, if it has one.
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
    use std::time::Duration;

    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn free_slots_keep_less_with_a_low_max_total_memory() {
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
        // Fewer slots keep more each.
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
            stacks: 1,
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

    #[test]
    fn stacks_of_all_instances_take_at_most_half_of_the_mappings_of_a_process() {
        const MAX_MAPPINGS: u32 = 65_530;

        let limits = GuestLimits {
            memory_bytes: 0,
            table_elements: 0,
            hostcall_bytes: 0,
            host_bytes: 0,
            handles: 0,
            field_bytes: 0,
            output_bytes: 0,
            cpu_time: Duration::ZERO,
            instances: NonZeroU32::new(100_000).unwrap(),
        };
        let kind = EngineKind {
            is_concurrent: true,
            ..EngineKind::default()
        };
        for parts in [1, 40, 1000] {
            let needs = InstanceRequirements {
                memories: 1,
                parts,
                tables: 1,
                memory_bytes: 0,
                table_elements: 0,
            };
            for workers in [1, 8] {
                let pool = Pool::exact(kind, &needs, &limits, 1 << 30).share_of(workers);
                let mappings = 2 * pool.stacks * pool.instances * workers;
                assert!(mappings <= MAX_MAPPINGS / 2, "{parts} parts: {mappings}");
                assert!(pool.instances > 0, "{parts} parts");
            }
        }
    }
}
