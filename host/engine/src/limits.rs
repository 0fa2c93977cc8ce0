//! Limits of one instance.

use std::num::NonZeroU32;
use std::time::Duration;

use memory_limit::{MemoryShortage, StoreMemory};
use wasmtime::{ResourceLimiter, Result};

use super::instance_size::POOL_CORE_INSTANCES;

/// Limits of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestLimits {
    /// Size of its memories together, in bytes.
    pub memory_bytes: usize,
    /// Elements of its tables together.
    pub table_elements: usize,
    /// Bytes that it may pass to the host in one call.
    pub hostcall_bytes: usize,
    /// Bytes that the host retains for it outside its memories: strings, fields, bodies.
    pub host_bytes: usize,
    /// Number of resource handles.
    pub handles: usize,
    /// Size of one set of header fields in memory, in bytes.
    pub field_bytes: usize,
    /// Bytes of output per request.
    pub output_bytes: usize,
    /// CPU time per request.
    pub cpu_time: Duration,
    /// Number of concurrent instances.
    pub instances: NonZeroU32,
}

/// The guest exceeded its CPU time.
#[derive(Debug, thiserror::Error)]
#[error("CPU time limit of the guest exceeded")]
pub struct OutOfCpuTime;

/// Limits the growth of the memories and tables of one instance.
pub(super) struct Limiter {
    /// The rest of the limit.
    pub(super) memory_bytes: usize,
    /// The rest of the limit.
    table_elements: usize,
    /// Why a growth was denied.
    pub(super) shortage: Option<MemoryShortage>,
    /// The share of the server's memory limit.
    pub(super) store_memory: StoreMemory,
}

impl Limiter {
    pub(super) fn new(limits: &GuestLimits) -> Self {
        Self {
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            shortage: None,
            store_memory: StoreMemory::default(),
        }
    }

    /// Takes `bytes` from the memory limit of the server. Returns whether they were available.
    pub(super) fn take_memory(&mut self, bytes: usize) -> bool {
        let is_taken = self.store_memory.take(bytes);
        if !is_taken {
            self.shortage = Some(MemoryShortage::ServerLimit);
        }
        is_taken
    }

    /// Takes a growth of `growth` units from its limit, which `left` selects, and its bytes from the
    /// memory of the server. One beyond the declared maximum does not fit, and is not taken.
    fn take_growth(
        &mut self,
        fits: bool,
        growth: usize,
        unit_bytes: usize,
        left: impl Fn(&mut Self) -> &mut usize,
    ) -> bool {
        let grows =
            fits && growth <= *left(self) && self.take_memory(growth.saturating_mul(unit_bytes));
        if grows {
            *left(self) -= growth;
        } else {
            self.note_denial();
        }
        grows
    }

    /// Notes that a limit of the guest denied a growth.
    pub(super) fn note_denial(&mut self) {
        self.shortage.get_or_insert(MemoryShortage::GuestLimit);
    }
}

/// Size of an element of a table: a pointer.
const ELEMENT_BYTES: usize = size_of::<usize>();

impl ResourceLimiter for Limiter {
    fn instances(&self) -> usize {
        POOL_CORE_INSTANCES as usize
    }

    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        let growth = desired.saturating_sub(current);
        Ok(self.take_growth(fits, growth, 1, |limiter| &mut limiter.memory_bytes))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        let growth = desired.saturating_sub(current);
        Ok(self.take_growth(fits, growth, ELEMENT_BYTES, |limiter| {
            &mut limiter.table_elements
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memory_limit::{FunctionMemory, MemoryLimit};

    #[test]
    fn max_memory_limits_all_memories_together() {
        let mut limiter = Limiter {
            memory_bytes: 100,
            table_elements: 0,
            shortage: None,
            store_memory: StoreMemory::default(),
        };
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert_eq!(limiter.shortage, None);
        assert!(!limiter.memory_growing(0, 50, None).unwrap());
        assert_eq!(limiter.shortage, Some(MemoryShortage::GuestLimit));
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        assert!(!limiter.memory_growing(100, 101, None).unwrap());
    }

    #[test]
    fn a_growth_beyond_max_total_memory_is_denied_and_not_charged() {
        const MIB: usize = 1 << 20;

        let server = MemoryLimit::unmeasured(4 * MIB as u64);
        let function = FunctionMemory::new(server.clone(), false);
        let mut limiter = Limiter {
            memory_bytes: 10 * MIB,
            table_elements: 10 * MIB,
            shortage: None,
            store_memory: StoreMemory::default(),
        };
        limiter
            .store_memory
            .set_instance_memory(function.try_acquire(MIB as u64).unwrap());
        assert!(limiter.memory_growing(0, MIB, None).unwrap());
        assert!(!limiter.memory_growing(MIB, 4 * MIB, None).unwrap());
        assert!(!limiter.table_growing(0, MIB / 2, None).unwrap());
        assert_eq!(limiter.memory_bytes, 9 * MIB);
        assert_eq!(limiter.table_elements, 10 * MIB);
        assert!(limiter.memory_growing(MIB, 3 * MIB, None).unwrap());
    }

    #[test]
    fn a_growth_beyond_the_declared_maximum_is_not_charged() {
        let mut limiter = Limiter {
            memory_bytes: 100,
            table_elements: 0,
            shortage: None,
            store_memory: StoreMemory::default(),
        };
        assert!(!limiter.memory_growing(0, 60, Some(50)).unwrap());
        assert!(limiter.memory_growing(0, 100, None).unwrap());
    }
}
