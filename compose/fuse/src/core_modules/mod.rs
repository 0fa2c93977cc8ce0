//! The core modules of a fused component: one with all memories, one with all code.
//!
//! - [`code`]: the code of all instances
//! - [`memories`]: the memories, and the allocators that the host calls
//! - [`const_expr`]: constant expressions with the indices of the fused module
//! - [`copy_utf8`]: the function that copies a string between memories

pub(crate) mod code;
mod const_expr;
mod copy_utf8;
pub(crate) mod memories;
