//! Use of instance pools.

use std::sync::Arc;

/// The use of one pool.
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

/// Reads the use of one pool.
pub type PoolGauge = Arc<dyn Fn() -> PoolUse + Send + Sync>;
