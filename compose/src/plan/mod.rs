//! Planning: components become a [`Plan`](crate::Plan), and no bytes are encoded.
//!
//! - [`link()`](link::link): a root and the parts that provide its imports
//! - [`chain()`](chain::chain): middlewares in front of an application
//! - [`swap()`](swap::swap): replacement parts for an existing composition
//! - [`planner`]: provider selection, common to `link` and `chain`

pub(crate) mod chain;
pub(crate) mod link;
pub(crate) mod planner;
pub(crate) mod swap;
