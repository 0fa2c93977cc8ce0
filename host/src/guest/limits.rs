//! What one instance may take.

use std::num::NonZeroU32;
use std::time::Duration;

/// What one instance may take.
#[derive(Debug, Clone, Copy)]
pub struct GuestLimits {
    /// How large its memories may become together.
    pub memory_bytes: usize,
    /// How many elements its tables may have together.
    pub table_elements: usize,
    /// How many bytes it may hand to the host in one call.
    pub hostcall_bytes: usize,
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
