//! Inspection: what a component's bytes reveal about it.
//!
//! - [`diff()`](diff::diff): differences of two compositions
//! - [`core_features()`](core_features::core_features): the WebAssembly proposals in use
//! - [`asynchronous`]: the async functions, streams and futures of interfaces
//! - [`provenance`]: the record of the inputs; [`verify()`](verify::verify): its comparison
//!   with the bytes

pub(crate) mod asynchronous;
pub(crate) mod core_features;
pub(crate) mod diff;
pub(crate) mod provenance;
pub(crate) mod verify;

use std::collections::BTreeSet;

use serde::Serialize;
use wasmparser::{Parser, Payload, ProducersSectionReader};

use self::asynchronous::AsyncInterfaces;
use crate::decompose::decompose;
use crate::model::component::Component;
use crate::model::composition::{Composition, Export, Import, Node, Wire};

/// The description of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// The component itself.
    pub whole: Node,
    /// Its parts, in the order of [`Composition`]; the component itself if it is not a
    /// composition.
    pub parts: Vec<InspectedPart>,
    /// Every import of a part that another part satisfies. A nested part is named with a
    /// slash, here and below: `outer/inner`.
    pub wires: Vec<Wire>,
    /// Every import of a part that the host has to satisfy.
    pub imports: Vec<Import>,
    /// The exports of the component.
    pub exports: Vec<Export>,
    /// All imports of the component.
    pub host_imports: Vec<String>,
    /// The interfaces above with async functions, streams or futures.
    #[serde(rename = "async", skip_serializing_if = "AsyncInterfaces::is_empty")]
    pub async_interfaces: AsyncInterfaces,
    /// Connections that this data model cannot express, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undescribed: Vec<String>,
}

/// The description of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedPart {
    /// Name, size and digest.
    #[serde(flatten)]
    pub node: Node,
    /// The tools that built it, sorted.
    pub producers: Vec<Producer>,
    /// Its own parts, if it is a composition itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<InspectedPart>,
}

/// A tool or a language, as the `producers` sections of the parts name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Producer {
    /// Its role: `language`, `processed-by` or `sdk`.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
}

impl Inspection {
    /// The imports of the component that no part imports: a part uses their types.
    pub fn host_imports_for_types(&self) -> impl Iterator<Item = &str> {
        let imports = self.host_imports.iter().map(String::as_str);
        imports.filter(|name| self.imports.iter().all(|import| import.name != *name))
    }
}

/// Describes `component`.
#[must_use]
pub fn inspect(component: &Component) -> Inspection {
    let Composition {
        wires,
        imports,
        exports,
        host_imports,
        undescribed,
        ..
    } = Composition::expanded(component);
    let whole = Node::new(component.name(), component.bytes());
    let mut parts = if component.has_bounded_instances() {
        parts(component)
    } else {
        Vec::new()
    };
    if parts.is_empty() {
        parts.push(InspectedPart {
            node: whole.clone(),
            producers: producers(component.bytes()),
            parts: Vec::new(),
        });
    }
    Inspection {
        whole,
        parts,
        wires,
        imports,
        exports,
        host_imports,
        async_interfaces: AsyncInterfaces::of([component]),
        undescribed,
    }
}

/// The parts of a composition, recursively. [`Component::new`] limits the nesting depth.
fn parts(component: &Component) -> Vec<InspectedPart> {
    let parts = decompose(component).map(|decomposed| decomposed.parts);
    parts
        .into_iter()
        .flatten()
        .map(|(name, bytes)| InspectedPart {
            node: Node::new(&name, bytes),
            producers: producers(bytes),
            parts: Component::new(name, bytes)
                .map_or_else(|_| Vec::new(), |part| self::parts(&part)),
        })
        .collect()
}

/// The contents of all `producers` sections in `bytes`, at any depth.
fn producers(bytes: &[u8]) -> Vec<Producer> {
    let sections = Parser::new(0).parse_all(bytes).filter_map(|payload| {
        let Ok(Payload::CustomSection(section)) = payload else {
            return None;
        };
        (section.name() == "producers").then_some(section)
    });
    let mut producers = BTreeSet::new();
    for section in sections {
        let reader = wasmparser::BinaryReader::new(section.data(), 0);
        let Ok(fields) = ProducersSectionReader::new(reader) else {
            continue;
        };
        for field in fields.into_iter().flatten() {
            for value in field.values.into_iter().flatten() {
                producers.insert(Producer {
                    field: field.name.to_owned(),
                    name: value.name.to_owned(),
                    version: value.version.to_owned(),
                });
            }
        }
    }
    producers.into_iter().collect()
}
