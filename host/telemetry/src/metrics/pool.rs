//! Use of instance pools.

use std::ops::Add;
use std::sync::Arc;

/// The use of pools.
#[derive(Debug, Clone, Copy, Default)]
pub struct PoolUse {
    /// Number of component instances.
    pub component_instances: u64,
    /// Number of core instances.
    pub core_instances: u64,
    /// Number of linear memories.
    pub memories: u64,
    /// Number of tables.
    pub tables: u64,
    /// Number of stacks.
    pub stacks: u64,
}

impl Add for PoolUse {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            component_instances: self.component_instances + other.component_instances,
            core_instances: self.core_instances + other.core_instances,
            memories: self.memories + other.memories,
            tables: self.tables + other.tables,
            stacks: self.stacks + other.stacks,
        }
    }
}

/// Reads the use of pools.
pub type PoolGauge = Arc<dyn Fn() -> PoolUse + Send + Sync>;
