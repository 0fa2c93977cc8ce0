//! Composes WebAssembly components and shows what it composed.
//!
//! A component says what it imports and what it exports. This library puts
//! components together so that the exports of some become the imports of others,
//! and the result is one component again. It is built on `wac-graph`, and adds
//! what that leaves to its user: finding out who provides what, over several
//! levels, and saying in words why something does not fit.
//!
//! There is no I/O in it: bytes go in, bytes and reports come out. Equal inputs
//! give byte-identical output. No input makes it panic.
//!
//! ```
//! use compose::{Component, environment, link};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let root = wat::parse_str(
//!     r#"(component
//!         (import "wasi:cli/environment@0.2.6" (instance $environment
//!             (export "get-arguments" (func (result (list string))))))
//!         (export "arguments" (func $environment "get-arguments")))"#,
//! )?;
//! let root = Component::new("root", root)?;
//! let variables = environment([("SHIFT_AMOUNT", "3")])?;
//! let variables = Component::new("variables", variables)?;
//!
//! let linked = link(&root, &[variables])?;
//!
//! assert_eq!(linked.wires[0].importer, "root");
//! assert_eq!(linked.wires[0].import, "wasi:cli/environment@0.2.6");
//! assert_eq!(linked.wires[0].export, "wasi:cli/environment@0.2.12");
//! assert!(linked.imports.is_empty());
//! assert_eq!(linked.exports, ["arguments"]);
//! # Ok(()) }
//! ```
//!
//! # Map
//!
//! What a caller uses:
//!
//! - [`Component`]: a name and bytes that were checked. Everything starts here.
//! - [`link()`]: a root and its parts become one component, [`Linked`].
//! - [`environment()`]: makes a component that answers `wasi:cli/environment`.
//! - [`fuse()`]: the parts of a composition become one core module, which is
//!   cheaper to instantiate.
//! - [`check()`]: does a component run on a host of a [`World`]?
//!
//! What these are made of, from the names to the bytes:
//!
//! - `version_track`: which versions of an interface stand in for each other
//! - `difference`, `signature`: what does not fit between two types, as WIT
//! - `plan`: who provides what to which
//! - `assemble`, `open_imports`: a plan becomes bytes
//! - `resources`: why the resources of a composition do not match
//! - `fuse/`: a composition becomes one module: flattened (`translation`, `flat`),
//!   rid of what only the order of making needs (`shims`), given one set of indices
//!   (`layout`), encoded (`code`, `memories`), and made a component again (`outside`)
//! - `wit`: the standard WIT packages
//! - `guard`: a wall around assertions of others
//!
//! A further way to compose is a further way to make a `Plan`; a further question
//! about a component is a module beside `check`.

mod assemble;
mod check;
mod component;
mod difference;
mod environment;
mod fuse;
mod guard;
mod link;
mod open_imports;
mod plan;
mod resources;
mod signature;
mod structure;
mod version_track;
mod wit;
mod world;

pub use check::{Finding, Report, check};
pub use component::{Component, ComponentError};
pub use difference::Difference;
pub use environment::{EnvironmentError, environment};
pub use fuse::{Cost, FuseError, Fused, fuse};
pub use link::{LinkError, Linked, NearMiss, link};
pub use resources::Origin;
pub use structure::{Export, Import, Part, Structure, Wire};
pub use wit::WitError;
pub use world::{World, WorldError};
