//! Composes WebAssembly components, and describes compositions.
//!
//! A component declares imports and exports. This library connects components so that
//! exports of some satisfy imports of others; the result is a component again. It is built
//! on `wac-graph`, and adds provider selection over several levels and diagnostics in
//! terms of component, interface and type.
//!
//! The library does no I/O: bytes go in, bytes and reports come out. Equal inputs give
//! byte-identical output. No input causes a panic.
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
//! let wire = &composed.composition.wires[0];
//! assert_eq!(wire.importer, "root");
//! assert_eq!(wire.import, "wasi:cli/environment@0.2.6");
//! assert_eq!(wire.export, "wasi:cli/environment@0.2.12");
//! assert!(composed.composition.imports.is_empty());
//! assert_eq!(composed.composition.exports[0].name, "arguments");
//! # Ok(()) }
//! ```
//!
//! # Map
//!
//! The public API:
//!
//! - [`Component`]: a name and validated bytes, the input of every operation.
//! - [`link()`], [`chain()`], [`swap()`]: operations that return a [`Plan`], which is data.
//!   [`Plan::check`] returns a [`Report`]; [`Plan::encode`] returns the component with its
//!   [`Composition`] and its [`Provenance`].
//! - [`Manifest`]: several compositions, declared in one file.
//! - [`run_wac()`] composes a text in the WAC language; [`emit_wac()`] writes one.
//! - [`environment()`], [`environment_for()`], [`stub()`]: generated components that satisfy an
//!   import with fixed values, or with functions that trap.
//! - [`decompose()`], [`extract()`]: the parts of a composition.
//! - [`record()`]: the provenance record of a composition that another tool made.
//! - [`inspect()`], [`diff()`], [`verify()`], [`deny_imports()`], [`core_features()`],
//!   [`AsyncInterfaces`]: descriptions and checks of a composition; [`check()`]: its
//!   compatibility with a [`World`].
//! - [`graph()`], [`graph_with()`]: a picture.
//!
//! The crate `compose-fuse` fuses the parts of a composition into one core module, and counts
//! what an instance costs: both depend on the internals of wasmtime.
//!
//! The modules, from the bottom up; each uses only those above it:
//!
//! - `catch_panic`: panics of third-party code as errors
//! - `binary/`: the sections of a binary
//! - `model/`: the data of all stages: components, plans, compositions, reports
//! - `wit/`: WIT text and worlds
//! - `decompose/`: parts and wires, read from the bytes
//! - `inspect/`: descriptions, differences, provenance
//! - `check/`: checks of plans, of worlds and of imports
//! - `encode/`: a plan becomes bytes
//! - `plan/`: components become a plan
//! - `generate/`: environment and stubs
//! - `graph/`: a composition becomes a picture
//! - `wac/`: compositions as text
//! - `manifest/`: compositions declared in a file
//!
//! A further way to compose is a function that returns a [`Plan`]; a further query is a
//! function of a [`Composition`].

mod binary;
mod catch_panic;
mod check;
mod decompose;
mod encode;
mod generate;
mod graph;
mod inspect;
mod manifest;
mod model;
mod plan;
mod wac;
mod wit;

pub use catch_panic::{CaughtPanic, catch_panic};
pub use check::import_policy::deny_imports;
pub use check::world::check;
pub use decompose::extract::extract;
pub use decompose::{Decomposed, decompose};
pub use encode::Composed;
pub use generate::environment::{EnvironmentError, environment, environment_for};
pub use generate::stub::{StubError, StubSource, stub};
pub use graph::{GraphFormat, graph, graph_with};
pub use inspect::asynchronous::{AsyncFeatures, AsyncInterfaces, is_asynchronous};
pub use inspect::core_features::{CoreFeature, core_features};
pub use inspect::diff::{ChangedPart, Diff, diff};
pub use inspect::provenance::{PROVENANCE_SECTION, Provenance, record};
pub use inspect::verify::{Verification, verify};
pub use inspect::{InspectedPart, Inspection, Producer, inspect};
pub use manifest::{BuildError, BuildErrorKind, BuiltOutput, Manifest, ManifestError};
pub use model::component::{Component, ItemName};
pub use model::component_error::ComponentError;
pub use model::composition::{Composition, Export, Import, NamedType, Node, Wire};
pub use model::plan::{Plan, PlannedComponent};
pub use model::report::{Class, Code, Diagnostic, Report, Severity};
pub use plan::chain::chain;
pub use plan::link::link;
pub use plan::planner::LinkOptions;
pub use plan::swap::swap;
pub use wac::{WacError, emit_wac, run_wac, run_wac_with_wit};
pub use wit::WitError;
pub use wit::world::{World, WorldError};
pub use wit::world_name::{UnknownWorld, WorldName};
