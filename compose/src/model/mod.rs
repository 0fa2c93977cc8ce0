//! The data that every stage reads or makes.
//!
//! - [`component`]: a named, validated component; [`component_error`]: why bytes are not one
//! - [`plan`]: components and wires, before any bytes are encoded
//! - [`composition`]: nodes, wires, imports and exports, as read from the bytes
//! - [`report`]: findings with stable codes; [`diagnostics`]: the findings that several
//!   stages report
//! - [`version_track`]: semantic-version compatibility of interface names

pub(crate) mod component;
pub(crate) mod component_error;
pub(crate) mod composition;
pub(crate) mod diagnostics;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod version_track;
