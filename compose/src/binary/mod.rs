//! Reading the binary format, below the level of a validated component.
//!
//! - [`sections`]: the outermost sections, also of damaged bytes
//! - [`offset_context`]: the section that contains a byte offset, for messages
//! - [`type_imports`]: imports that only name a type
//! - [`instance_count`]: the number of instances that a component makes

pub(crate) mod instance_count;
pub(crate) mod offset_context;
pub(crate) mod sections;
pub(crate) mod type_imports;
