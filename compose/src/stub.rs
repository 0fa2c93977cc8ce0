//! A component that stands in for what is not there yet: it has every function
//! of an interface, and each of them traps.

mod find;
mod module;

use std::error::Error;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

use crate::component::Component;
use crate::guard::guard;
use crate::wit::{self, WitError};

/// Where the interfaces are described that [`stub`] makes.
#[derive(Debug, Clone, Copy)]
pub enum StubSource<'a> {
    /// WIT text, each with a file name for messages, and the packages of WASI
    /// 0.2.12, as for [`World::from_wit`](crate::World::from_wit). No text at all
    /// is fine.
    Wit(&'a [(String, String)]),
    /// The imports of a component: no WIT is needed to satisfy them.
    ImportsOf(&'a Component),
}

/// Why there is no stub.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StubError {
    /// No interface is named.
    #[error("no interface is named; name one such as `wasi:random/random`")]
    NoInterface,
    /// The interface is not described.
    #[error("there is no interface `{name}`; {}", candidates_in_words(candidates))]
    Unknown {
        /// The interface, as it was asked for.
        name: String,
        /// Those that are described and have a similar name; all that are
        /// described if none has.
        candidates: Vec<String>,
    },
    /// The interface is described in several versions.
    #[error(
        "there is more than one interface `{name}`: {}; name one with its version",
        quoted(candidates)
    )]
    Ambiguous {
        /// The interface, as it was asked for.
        name: String,
        /// The interface with each version.
        candidates: Vec<String>,
    },
    /// An interface lies between two that are to be stubbed: one uses it, and it
    /// uses the other.
    #[error(
        "what is to be stubbed uses {}, and that uses what is to be stubbed; name it as well",
        quoted(interfaces)
    )]
    Between {
        /// The interfaces that lie between, sorted.
        interfaces: Vec<String>,
    },
    /// The WIT text was not understood.
    #[error(transparent)]
    Wit(#[from] WitError),
    /// The component was not encoded.
    #[error("the stub was not encoded")]
    Encode(#[source] Box<dyn Error + Send + Sync>),
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn candidates_in_words(candidates: &[String]) -> String {
    if candidates.is_empty() {
        "none is described".to_owned()
    } else {
        format!("what is described: {}", quoted(candidates))
    }
}

/// Makes a component that exports `interfaces` and whose every function traps.
///
/// An interface is named with its version, or without if it is described in one
/// version only. A trap has no message, but hosts show the names of the functions
/// on the stack, and the name of each says which call it was:
/// `stub: runner:audit/audit-log@0.1.0#append is not implemented`. Resources can
/// be passed around as types, but nobody can make one, as constructors trap, too.
///
/// An interface that uses types of another one, as `wasi:http/types` uses
/// `wasi:io/streams`, imports the other one, unless that is among `interfaces` as
/// well. Of what it imports it needs the types only, no function. What the other
/// one uses in turn must not be among `interfaces` then. The component
/// has no memory unless a function takes or returns something that lies in one,
/// and that is empty before the first call.
///
/// Equal inputs give byte-identical results.
///
/// # Errors
///
/// Returns a [`StubError`] if an interface is not described, or cannot be stubbed
/// without another.
pub fn stub(interfaces: &[String], source: StubSource<'_>) -> Result<Vec<u8>, StubError> {
    let mut resolve = match source {
        StubSource::Wit(texts) => wit::parse(texts)?.resolve,
        StubSource::ImportsOf(component) => decode(component)?,
    };
    let interfaces = find::interfaces(interfaces, &resolve, source)?;
    let exports: String = interfaces.iter().map(|name| export(name)).collect();
    let text = format!("package compose:stub; world stub {{ {exports} }}");
    let package = wit::push(&mut resolve, "stub.wit", &text)?;
    guard(|| match resolve.packages[package].worlds.get("stub") {
        Some(world) => encode(&resolve, *world),
        None => Err(StubError::Encode("it has no world".into())),
    })
    .unwrap_or_else(|panic| Err(StubError::Encode(panic.into())))
}

/// The packages that describe the imports of a component.
fn decode(component: &Component) -> Result<Resolve, StubError> {
    let decoded = guard(|| wit_component::decode(component.bytes()))
        .map_err(|panic| StubError::Encode(panic.into()))?
        .map_err(|error| StubError::Encode(error.into()))?;
    Ok(decoded.resolve().clone())
}

/// The line of a world that exports `interface`, with every word marked as not
/// being a keyword.
fn export(interface: &str) -> String {
    let (path, version) = match interface.split_once('@') {
        Some((path, version)) => (path, format!("@{version}")),
        None => (interface, String::new()),
    };
    let path = path.replace(':', ":%").replace('/', "/%");
    format!("export %{path}{version};\n")
}

fn encode(resolve: &Resolve, world: WorldId) -> Result<Vec<u8>, StubError> {
    let refused = |error: Box<dyn Error + Send + Sync>| StubError::Encode(error);
    let mut module = module::encode(resolve, world).map_err(refused)?;
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8)
        .map_err(|error| refused(error.into()))?;
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| refused(error.into()))
}
