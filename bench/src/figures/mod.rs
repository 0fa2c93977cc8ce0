//! Statistics and goals.
//!
//! - [`stats`]: medians and ranges.
//! - [`goals`]: goals, and verdicts on them.

pub(crate) mod goals;
pub(crate) mod stats;
