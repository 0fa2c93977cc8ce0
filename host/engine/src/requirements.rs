//! Initial resources of an instance.

use serde::{Deserialize, Serialize};
use wasmtime::ResourcesRequired;

use crate::error::LoadError;
use crate::limits::GuestLimits;

/// Initial resources of one instance of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRequirements {
    /// Number of memories.
    pub memories: u32,
    /// Number of components with code of their own in the composition.
    pub parts: u32,
    /// Number of tables.
    pub tables: u32,
    /// Initial size of the largest memory, in bytes.
    pub memory_bytes: u64,
    /// Initial size of the largest table, in elements.
    pub table_elements: u64,
}

/// Size of a page of memory, in bytes.
const PAGE_BYTES: u64 = 64 << 10;

impl InstanceRequirements {
    /// Requirements of an instance with these resources and this number of parts.
    pub(crate) fn new(resources: &ResourcesRequired, parts: u32) -> Self {
        let pages = resources.max_initial_memory_size.unwrap_or(0);
        Self {
            memories: resources.num_memories,
            parts,
            tables: resources.num_tables,
            memory_bytes: pages.saturating_mul(PAGE_BYTES),
            table_elements: resources.max_initial_table_size.unwrap_or(0),
        }
    }

    /// Initial size of the memories and tables of an instance, in bytes. Of several memories, only
    /// the largest is known; a page is added for each other one.
    pub(crate) fn initial_bytes(&self) -> u64 {
        let others = self.memories.saturating_sub(1);
        let others = u64::from(others) * PAGE_BYTES;
        let tables = self
            .table_elements
            .saturating_mul(size_of::<usize>() as u64);
        self.memory_bytes
            .saturating_add(others)
            .saturating_add(tables)
    }

    /// Checks them against the limits of an instance.
    pub(crate) fn check(&self, limits: &GuestLimits) -> Result<(), LoadError> {
        if self.memory_bytes > limits.memory_bytes as u64 {
            return Err(LoadError::TooMuchMemory {
                needs: self.memory_bytes,
                limit: limits.memory_bytes,
            });
        }
        if self.table_elements > limits.table_elements as u64 {
            return Err(LoadError::TooManyElements {
                needs: self.table_elements,
                limit: limits.table_elements,
            });
        }
        Ok(())
    }
}
