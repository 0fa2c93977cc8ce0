//! What one instance may take.

use std::num::NonZeroU32;
use std::time::Duration;

use wasmtime::{ResourceLimiter, Result};

use super::instance_size::POOL_CORE_INSTANCES;
use memory_limit::{MemoryShortage, StoreMemory};

/// What one instance may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestLimits {
    /// How large its memories may become together.
    pub memory_bytes: usize,
    /// How many elements its tables may have together.
    pub table_elements: usize,
    /// How many bytes it may hand to the host in one call.
    pub hostcall_bytes: usize,
    /// Bytes that the host keeps for it outside its memories: strings, fields, bodies.
    pub host_bytes: usize,
    /// How many handles on resources it may have.
    pub handles: usize,
    /// How large one set of its header fields may be in memory.
    pub field_bytes: usize,
    /// How many bytes it may print for a request.
    pub output_bytes: usize,
    /// How long it may compute for a request.
    pub cpu_time: Duration,
    /// How many instances there may be at once.
    pub instances: NonZeroU32,
}

/// A guest computed for longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("the guest computed for longer than it may")]
pub struct OutOfCpuTime;

/// Decides how far the memories and tables of one instance may grow.
pub(super) struct Limiter {
    /// What is left.
    pub(super) memory_bytes: usize,
    /// What is left.
    table_elements: usize,
    /// Why something did not grow that should have.
    pub(super) shortage: Option<MemoryShortage>,
    /// What the server allows, which all instances share.
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

    /// Takes `bytes` of the memory of the server.
    pub(super) fn take_memory(&mut self, bytes: usize) -> bool {
        let is_taken = self.store_memory.take(bytes);
        if !is_taken {
            self.shortage = Some(MemoryShortage::ServerLimit);
        }
        is_taken
    }

    /// The guest did not get what it wanted.
    pub(super) fn refuse(&mut self) {
        self.shortage.get_or_insert(MemoryShortage::GuestLimit);
    }
}

/// How large an element of a table is: a pointer.
const ELEMENT_BYTES: usize = size_of::<usize>();

/// Takes the growth from `current` to `desired` off what is `left`, if there is so much.
fn take(left: &mut usize, current: usize, desired: usize) -> bool {
    match left.checked_sub(desired.saturating_sub(current)) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    }
}

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
        // What the memory itself does not allow is not taken off: nothing grows.
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        let mut left = self.memory_bytes;
        let grows =
            fits && take(&mut left, current, desired) && self.take_memory(self.memory_bytes - left);
        if grows {
            self.memory_bytes = left;
        }
        if !grows {
            self.refuse();
        }
        Ok(grows)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        let mut left = self.table_elements;
        let grows = fits
            && take(&mut left, current, desired)
            && self.take_memory((self.table_elements - left).saturating_mul(ELEMENT_BYTES));
        if grows {
            self.table_elements = left;
        }
        if !grows {
            self.refuse();
        }
        Ok(grows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memory_limit::{FunctionMemory, MemoryLimit};

    #[test]
    fn all_memories_together_are_limited() {
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
    fn a_memory_that_the_server_has_no_room_for_does_not_grow_and_costs_nothing() {
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
    fn what_a_memory_does_not_allow_counts_for_nothing() {
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
