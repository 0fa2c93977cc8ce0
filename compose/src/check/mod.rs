//! Checks: of a plan before it is encoded, and of a component against a world.
//!
//! - [`plan`]: names, types and unused components of a plan
//! - [`dependency_cycle`]: cycles of components that depend on each other
//! - [`resource_origin`]: resources that two sides expect from different definitions
//! - [`world`]: whether a component runs on a host of a world; [`wasi_release`]: the built-in
//!   world that it is made for
//! - [`import_policy`]: forbidden imports
//! - [`type_mismatch`], [`signature`]: the difference of two types, written as WIT

pub(crate) mod dependency_cycle;
pub(crate) mod import_policy;
pub(crate) mod plan;
pub(crate) mod resource_origin;
mod signature;
pub(crate) mod type_mismatch;
pub(crate) mod wasi_release;
pub(crate) mod world;
