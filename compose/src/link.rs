//! Linking: one root and the parts that provide what it imports.

use std::error::Error;

use wasmparser::BinaryReaderError;

use crate::assemble::assemble;
use crate::component::Component;
use crate::difference::{Difference, join};
use crate::plan::Plan;
use crate::resources::Origin;
use crate::structure::Wire;

/// A composition, and what it is composed of.
#[derive(Debug, Clone)]
pub struct Linked {
    /// The composed component in binary form, valid.
    pub bytes: Vec<u8>,
    /// Every import that was satisfied, beginning with those of the root.
    pub wires: Vec<Wire>,
    /// What nobody provided: the imports of the composition, read from its bytes.
    pub imports: Vec<String>,
    /// The exports of the composition, read from its bytes.
    pub exports: Vec<String>,
}

/// Composes `root` with `parts` into one component.
///
/// Every import of the root, and of the parts, is wired to the part that exports
/// it: the same name, or another version on the same version track. What no part
/// exports stays an import of the result, once for all who import it. The exports
/// of the root become the exports of the result. Each part is instantiated once
/// and shared by all of its importers. Neither the root nor a part provides
/// anything to itself, and nothing is provided by the root.
///
/// Equal inputs give byte-identical results, in whichever order the parts come.
///
/// # Errors
///
/// Returns a [`LinkError`] if the parts do not fit, or if one of them is not
/// needed: a part that nothing uses is more likely a mistake than a wish.
pub fn link(root: &Component, parts: &[Component]) -> Result<Linked, LinkError> {
    let plan = Plan::link(root, parts)?;
    let assembled = assemble(&plan)?;
    Ok(Linked {
        bytes: assembled.bytes,
        wires: plan.wires,
        imports: assembled.imports,
        exports: assembled.exports,
    })
}

/// An import and an export of one interface on different version tracks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The name of the component that imports.
    pub importer: String,
    /// The interface, as it is imported.
    pub import: String,
    /// The interface, as it is exported.
    pub export: String,
}

/// Why components were not linked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Two inputs have the same name.
    #[error("two components are named `{name}`; give one of them another name")]
    EqualNames {
        /// The name.
        name: String,
    },
    /// More than one part exports what a component imports.
    #[error(
        "`{importer}` imports `{interface}`, and more than one part exports it: {}; leave all but \
         one of them out, or link them in steps",
        quoted(providers)
    )]
    SeveralProviders {
        /// The name of the component that imports.
        importer: String,
        /// The interface, as it is imported.
        interface: String,
        /// The names of the parts, sorted.
        providers: Vec<String>,
    },
    /// A part exports the interface, but not as the importer expects it.
    #[error(
        "`{provider}` exports `{export}`, but not as `{importer}` imports it{}: {}",
        under_its_own_name(import, export),
        join(differences)
    )]
    TypeMismatch {
        /// The name of the component that imports.
        importer: String,
        /// The interface, as it is imported.
        import: String,
        /// The name of the component that exports.
        provider: String,
        /// The interface, as it is exported.
        export: String,
        /// What is different.
        differences: Vec<Difference>,
    },
    /// Components need each other in a circle.
    #[error(
        "the components need each other in a circle, so none can start first: {}",
        path.join(" -> ")
    )]
    Cycle {
        /// The names along the circle; the last is the first.
        path: Vec<String>,
    },
    /// Nothing uses a part.
    #[error("nothing uses `{part}`: it exports {}{}", exports_in_words(exports), remedy(near_miss.as_ref()))]
    Unused {
        /// The name of the part.
        part: String,
        /// What it exports.
        exports: Vec<String>,
        /// What was perhaps meant.
        near_miss: Option<NearMiss>,
    },
    /// Two components import the same interface with different types, and
    /// nobody provides it.
    #[error(
        "`{first}` and `{second}` both import `{import}`, but not with the same types, so that no \
         host can provide it to both"
    )]
    ImportConflict {
        /// The interface, as the second component imports it.
        import: String,
        /// The name of one component.
        first: String,
        /// The name of the other.
        second: String,
        /// What is different.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// An import gets an interface whose resource is not the one that the
    /// importer knows from elsewhere.
    #[error(
        "`{importer}` expects the resource `{resource}` of its import `{import}` to be {expected}, \
         but it is {found}; provide both interfaces from the same place"
    )]
    ResourceClash {
        /// The name of the component that imports.
        importer: String,
        /// The interface, as it is imported.
        import: String,
        /// The resource.
        resource: String,
        /// Who defines the resource that the importer means.
        expected: Box<Origin>,
        /// Who defines the resource that it gets.
        found: Box<Origin>,
    },
    /// The encoded composition is not valid.
    #[error("the composition is not a valid component")]
    Invalid {
        /// What the validator said.
        #[source]
        source: BinaryReaderError,
    },
    /// `wac-graph` refused a step.
    #[error("`wac` refused the composition")]
    Wac {
        /// What it said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn under_its_own_name(import: &str, export: &str) -> String {
    if import == export {
        String::new()
    } else {
        format!(" (as `{import}`)")
    }
}

fn exports_in_words(exports: &[String]) -> String {
    if exports.is_empty() {
        "nothing".to_owned()
    } else {
        format!("{}, which no other component imports", quoted(exports))
    }
}

fn remedy(near_miss: Option<&NearMiss>) -> String {
    match near_miss {
        Some(NearMiss {
            importer,
            import,
            export,
        }) => format!(
            "; `{importer}` imports `{import}`, and `{export}` is on another version track: build \
             both against the same version"
        ),
        None => "; leave it out".to_owned(),
    }
}
