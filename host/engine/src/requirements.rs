//! Initial resources of an instance.

use serde::{Deserialize, Serialize};

use crate::error::LoadError;
use crate::limits::GuestLimits;

/// Initial resources of one instance of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRequirements {
    /// Number of memories.
    pub memories: u32,
    /// Number of tables.
    pub tables: u32,
    /// Initial size of the largest memory, in bytes.
    pub memory_bytes: u64,
    /// Initial size of the largest table, in elements.
    pub table_elements: u64,
}

impl InstanceRequirements {
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
