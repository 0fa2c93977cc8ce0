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
//! What a caller uses, in the order of a day's work:
//!
//! - [`Component`]: a name and bytes that were checked. Everything starts here.
//! - [`link()`], [`chain()`], [`swap()`]: three ways to a [`Plan`], which is data.
//!   [`Plan::check`] gives a [`Report`]; [`Plan::encode`] gives the component, its
//!   [`Structure`] and its [`Provenance`].
//! - [`Manifest`]: many compositions, declared in one file.
//! - [`run_wac()`] composes what a text in the language WAC says; [`emit_wac()`]
//!   writes such a text.
//! - [`environment()`], [`stub()`]: components that satisfy an import with fixed
//!   answers, or with a trap.
//! - [`decompose()`], [`extract()`]: a composition is taken apart again.
//! - [`record()`]: a composition that something else made gets its record.
//! - [`inspect()`], [`cost()`], [`diff()`], [`verify()`], [`deny_imports()`]: questions
//!   about a composition; [`check()`]: does it run on a host of a [`World`]?
//!   [`core_features()`]: which proposals of WebAssembly does that host have to know?
//! - [`graph()`]: a picture of it.
//! - [`fuse()`]: its parts become one core module, which is cheaper to instantiate.
//!
//! What these are made of, from the names to the bytes:
//!
//! - `structure`, `report`: the two kinds of data that everything else makes or reads
//! - `version_track`: which versions of an interface stand in for each other
//! - `planner`: who provides what to which
//! - `diagnose`: what keeps a plan from being carried out; `difference`, `signature`:
//!   what does not fit between two types, as WIT; `resources`: why the resources of
//!   a composition do not match
//! - `assemble`, `open_imports`, `type_imports`, `needed_exports`: a plan becomes bytes
//! - `manifest/`: a declared component (`entry`), and how it is made (`build`)
//! - `sections`: the outermost layer of a binary; `place`: where a byte of it is;
//!   `expansion`: how many instances it makes; `expand`: what is within its parts
//! - `fuse/`: a composition becomes one module: flattened (`translation`, `flat`),
//!   rid of what only the order of making needs (`shims`), given one set of indices
//!   (`layout`), encoded (`code`, `memories`), and made a component again (`outside`)
//! - `graph/`: a structure becomes a picture: its boxes and wires (`scene`), their
//!   places (`layers`, `routes`, `order`, `place`, `layout`), the text (`svg`)
//! - `stub/`: which interfaces are meant (`find`), and what traps (`module`)
//! - `wac/`: which components a text means (`packages`), what is wrong with it
//!   (`excerpt`, `nesting`), and how it is written (`emit`, `id`)
//! - `wit`: the standard WIT packages, and those of a caller; `world`, `world_name`
//! - `guard`: a wall around assertions of others
//!
//! A further way to compose is a further way to make a `Plan`; a further question
//! about a composition is a function of its `Structure`.

mod assemble;
mod chain;
mod check;
mod component;
mod core_features;
mod cost;
mod decompose;
mod deny;
mod diagnose;
mod diff;
mod difference;
mod environment;
mod expand;
mod expansion;
mod extract;
mod fuse;
mod graph;
mod guard;
mod inspect;
mod link;
mod manifest;
mod needed_exports;
mod open_imports;
mod place;
mod plan;
mod planner;
mod provenance;
mod report;
mod resources;
mod sections;
mod signature;
mod structure;
mod stub;
mod swap;
mod type_imports;
mod version_track;
mod wac;
mod wit;
mod world;
mod world_name;

pub use chain::chain;
pub use check::check;
pub use component::{Component, ComponentError};
pub use core_features::{CoreFeature, core_features};
pub use cost::{Cost, cost};
pub use decompose::{Decomposed, decompose};
pub use deny::deny_imports;
pub use diff::{ChangedPart, Diff, diff};
pub use environment::{EnvironmentError, environment};
pub use extract::extract;
pub use fuse::{FuseError, Fused, fuse};
pub use graph::{GraphFormat, graph};
pub use inspect::{InspectedPart, Inspection, Producer, inspect};
pub use link::link;
pub use manifest::{BuildError, BuildErrorKind, BuiltOutput, Manifest, ManifestError};
pub use plan::{Composed, Plan, PlannedComponent};
pub use planner::LinkOptions;
pub use provenance::{PROVENANCE_SECTION, Provenance, Verification, record, verify};
pub use report::{Class, Code, Diagnostic, Report, Severity};
pub use structure::{Export, Import, NamedType, Part, Structure, Wire};
pub use stub::{StubError, StubSource, stub};
pub use swap::swap;
pub use wac::{WacError, emit_wac, run_wac, run_wac_with_wit};
pub use wit::WitError;
pub use world::{World, WorldError};
pub use world_name::{UnknownWorld, WorldName};
