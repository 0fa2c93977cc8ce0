//! Stubs: components that export every function of an interface, each of which traps.
//!
//! - `interfaces`: the interfaces that names refer to
//! - `module`: the core module of trapping functions

mod interfaces;
mod module;

use std::error::Error;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

use crate::catch_panic::catch_panic;
use crate::model::component::Component;
use crate::wit::{self, WitError};

/// The definition of the interfaces of a [`stub`].
#[derive(Debug, Clone, Copy)]
pub enum StubSource<'a> {
    /// WIT texts, pairs of file name and contents, and the packages of WASI 0.2.12, as for
    /// [`World::from_wit`](crate::World::from_wit); may be empty. An interface of WASI 0.3.0, or of
    /// an earlier version of 0.2, is found by its name with the version.
    Wit(&'a [(String, String)]),
    /// The imports of a component, which need no WIT.
    ImportsOf(&'a Component),
}

/// Why no stub can be generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StubError {
    /// No interface is named.
    #[error("no interface is named; name one such as `wasi:random/random`")]
    NoInterface,
    /// The interface is not defined.
    #[error("unknown interface `{name}`; {}", candidates_in_words(candidates))]
    Unknown {
        /// The interface, as the caller named it.
        name: String,
        /// The defined interfaces with a similar name, or all defined ones if there are none.
        candidates: Vec<String>,
    },
    /// The interface is defined in several versions.
    #[error(
        "ambiguous interface `{name}`: {}; name one with its version",
        quoted(candidates)
    )]
    Ambiguous {
        /// The interface, as the caller named it.
        name: String,
        /// The interface with each version.
        candidates: Vec<String>,
    },
    /// An interface is between two stubbed ones: one of them uses it, and it uses the other.
    #[error(
        "a stubbed interface uses {}, which uses a stubbed interface itself; name it as well",
        quoted(interfaces)
    )]
    Between {
        /// The interfaces in between, sorted.
        interfaces: Vec<String>,
    },
    /// The WIT text is invalid.
    #[error(transparent)]
    Wit(#[from] WitError),
    /// Encoding failed.
    #[error("cannot encode the stub")]
    Encode(#[source] Box<dyn Error + Send + Sync>),
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn candidates_in_words(candidates: &[String]) -> String {
    if candidates.is_empty() {
        "no interfaces are defined".to_owned()
    } else {
        format!("defined interfaces: {}", quoted(candidates))
    }
}

/// Generates a component that exports `interfaces`, all of whose functions trap.
///
/// An interface is named with its version, or without if it is defined in one version only.
/// A trap has no message, but hosts print the function names on the stack, which identify
/// the call: `stub: runner:audit/audit-log@0.1.0#append is not implemented`. Resources exist
/// as types only, because constructors trap as well.
///
/// An interface that uses types of another one, as `wasi:http/types` uses
/// `wasi:io/streams`, imports that one, unless it is in `interfaces` as well. It imports
/// types only, no functions. The interfaces that the imported one uses in turn must not be in
/// `interfaces` then. The component has a memory only if a function passes values in memory;
/// its initial size is 0.
///
/// Equal inputs give byte-identical results.
///
/// # Errors
///
/// Returns a [`StubError`] if an interface is not defined, or cannot be stubbed without
/// another.
pub fn stub(interfaces: &[String], source: StubSource<'_>) -> Result<Vec<u8>, StubError> {
    let mut resolve = match source {
        StubSource::Wit(texts) => {
            let packages = interfaces.iter().filter_map(|name| wit::package_of(name));
            let named: Vec<_> = packages.collect();
            wit::parse_with(texts, &named)?.resolve
        }
        StubSource::ImportsOf(component) => decode(component)?,
    };
    let interfaces = interfaces::resolve(interfaces, &resolve, source)?;
    let exports: String = interfaces.iter().map(|name| export(name)).collect();
    let text = format!("package compose:stub; world stub {{ {exports} }}");
    let package = wit::push(&mut resolve, "stub.wit", &text)?;
    catch_panic(|| match resolve.packages[package].worlds.get("stub") {
        Some(world) => encode(&resolve, *world),
        None => Err(StubError::Encode("the package has no world".into())),
    })
    .unwrap_or_else(|panic| Err(StubError::Encode(panic.into())))
}

/// The packages that define the imports of a component.
fn decode(component: &Component) -> Result<Resolve, StubError> {
    let decoded = catch_panic(|| wit_component::decode(component.bytes()))
        .map_err(|panic| StubError::Encode(panic.into()))?
        .map_err(|error| StubError::Encode(error.into()))?;
    Ok(decoded.resolve().clone())
}

/// The `export` line of a world for `interface`, with every word marked as an identifier.
fn export(interface: &str) -> String {
    let (path, version) = match interface.split_once('@') {
        Some((path, version)) => (path, format!("@{version}")),
        None => (interface, String::new()),
    };
    let path = path.replace(':', ":%").replace('/', "/%");
    format!("export %{path}{version};\n")
}

fn encode(resolve: &Resolve, world: WorldId) -> Result<Vec<u8>, StubError> {
    let failed = |error: Box<dyn Error + Send + Sync>| StubError::Encode(error);
    let mut module = module::encode(resolve, world).map_err(failed)?;
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8)
        .map_err(|error| failed(error.into()))?;
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| failed(error.into()))
}
