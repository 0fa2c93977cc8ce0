//! What there is to know about a component from its bytes alone.

use std::collections::BTreeSet;

use serde::Serialize;
use wasmparser::{Parser, Payload, ProducersSectionReader};

use crate::component::Component;
use crate::cost::{Cost, cost};
use crate::decompose::decompose;
use crate::expansion::is_bounded;
use crate::structure::{Export, Import, Part, Structure, Wire};

/// A component, described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// The whole.
    pub whole: Part,
    /// What it consists of, in the order of [`Structure`]; one part, if it is not
    /// a composition.
    pub parts: Vec<InspectedPart>,
    /// Every import of a part that another part satisfies. A part of a part is named with a
    /// slash, here and below: `outer/inner`.
    pub wires: Vec<Wire>,
    /// Every import of a part that is left to the host.
    pub imports: Vec<Import>,
    /// What the whole exports.
    pub exports: Vec<Export>,
    /// Everything that the whole imports.
    pub host_imports: Vec<String>,
    /// What has no place in this description.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undescribed: Vec<String>,
    /// What one instance costs, if that can be counted.
    pub cost: Option<Cost>,
}

/// A part of a component, described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedPart {
    /// Name, size and digest.
    #[serde(flatten)]
    pub part: Part,
    /// The tools that made it, sorted.
    pub producers: Vec<Producer>,
    /// Its own parts, if it is a composition itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<InspectedPart>,
}

/// A tool or a language, as the `producers` sections of the parts name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Producer {
    /// What it was used as: `language`, `processed-by` or `sdk`.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Its version, which may be empty.
    pub version: String,
}

impl Inspection {
    /// What the whole imports although no part gets it: a part uses types of it.
    pub fn host_imports_for_types(&self) -> impl Iterator<Item = &str> {
        let imports = self.host_imports.iter().map(String::as_str);
        imports.filter(|name| self.imports.iter().all(|import| import.name != *name))
    }
}

/// Describes `component`.
#[must_use]
pub fn inspect(component: &Component) -> Inspection {
    let Structure {
        wires,
        imports,
        exports,
        host_imports,
        undescribed,
        ..
    } = Structure::expanded(component);
    let whole = Part::new(component.name(), component.bytes());
    let mut parts = if is_bounded(component) {
        parts(component)
    } else {
        Vec::new()
    };
    if parts.is_empty() {
        parts.push(InspectedPart {
            part: whole.clone(),
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
        undescribed,
        cost: cost(component),
    }
}

/// The parts of a composition. They nest as deep as their bytes do, which the
/// validation of the component has limited.
fn parts(component: &Component) -> Vec<InspectedPart> {
    let parts = decompose(component).map(|decomposed| decomposed.parts);
    parts
        .into_iter()
        .flatten()
        .map(|(name, bytes)| InspectedPart {
            part: Part::new(&name, bytes),
            producers: producers(bytes),
            parts: Component::new(name, bytes)
                .map_or_else(|_| Vec::new(), |part| self::parts(&part)),
        })
        .collect()
}

/// Everything that the `producers` sections in `bytes` say, however deep they are.
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
