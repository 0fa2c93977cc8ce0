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
//! use compose::{Component, LinkOptions, environment, link};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let root = wat::parse_str(
//!     r#"(component
//!         (import "wasi:cli/environment@0.2.6" (instance $environment
//!             (export "get-arguments" (func (result (list string))))))
//!         (export "arguments" (func $environment "get-arguments")))"#,
//! )?;
//! let root = Component::new("root", root)?;
//! let parts = [Component::new("variables", environment([("SHIFT_AMOUNT", "3")])?)?];
//!
//! let plan = link(&root, &parts, &LinkOptions::default())?;
//! let composed = plan.encode(parts.iter().chain([&root]))?;
//!
//! let wire = &composed.structure.wires[0];
//! assert_eq!(wire.importer, "root");
//! assert_eq!(wire.import, "wasi:cli/environment@0.2.6");
//! assert_eq!(wire.export, "wasi:cli/environment@0.2.12");
//! assert!(composed.structure.imports.is_empty());
//! assert_eq!(composed.structure.exports[0].name, "arguments");
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
mod chain;
mod check;
mod component;
mod cost;
mod decompose;
mod deny;
mod diagnose;
mod diff;
mod difference;
mod environment;
mod extract;
mod fuse;
mod guard;
mod inspect;
mod link;
mod manifest;
mod open_imports;
mod plan;
mod planner;
mod provenance;
mod report;
mod resources;
mod sections;
mod signature;
mod structure;
mod swap;
mod version_track;
mod wit;
mod world;
mod world_name;

pub use chain::chain;
pub use check::check;
pub use component::{Component, ComponentError};
pub use cost::{Cost, cost};
pub use decompose::{Decomposed, decompose};
pub use deny::deny_imports;
pub use diff::{ChangedPart, Diff, diff};
pub use environment::{EnvironmentError, environment};
pub use extract::extract;
pub use fuse::{FuseError, Fused, fuse};
pub use inspect::{InspectedPart, Inspection, Producer, inspect};
pub use link::link;
pub use manifest::{BuildError, BuildErrorKind, BuiltOutput, Manifest, ManifestError};
pub use plan::{Composed, Plan, PlannedComponent};
pub use planner::LinkOptions;
pub use provenance::{PROVENANCE_SECTION, Provenance, Verification, record, verify};
pub use report::{Class, Code, Diagnostic, Report, Severity};
pub use structure::{Export, Import, Part, Structure, Wire};
pub use swap::swap;
pub use wit::WitError;
pub use world::{World, WorldError};
pub use world_name::{UnknownWorld, WorldName};
