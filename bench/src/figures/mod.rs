//! What figures say.
//!
//! - [`stats`]: medians and ranges.
//! - [`goals`]: what the project has set itself, and whether a figure shows it.

pub(crate) mod goals;
pub(crate) mod stats;
