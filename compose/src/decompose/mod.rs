//! The parts and wires of a composed component, read from its bytes.
//!
//! A composition is a component without core modules of its own: it embeds other
//! components, instantiates them, and passes exports of some as imports to others. This
//! library, `wac` and `wasm-tools compose` make such components.
//!
//! - `reader`: the index spaces of the composition
//! - [`extract()`](extract::extract): the bytes of one part
//! - `expand`: the nodes of nested compositions

mod expand;
pub(crate) mod extract;
mod reader;

use std::collections::BTreeMap;

use crate::binary::sections::sections;
use crate::model::component::Component;
use crate::model::composition::{Composition, Export, Import, Node, named_types};
use reader::Reader;

/// A composed component and its parts.
#[derive(Debug, Clone)]
pub struct Decomposed<'b> {
    /// Its nodes, wires, imports and exports.
    pub composition: Composition,
    /// The bytes of each part, by its name.
    pub parts: BTreeMap<String, &'b [u8]>,
}

/// Reads the composition that `component` is.
///
/// Returns `None` if `component` is not a composition: it has core modules of its own, or
/// instantiates no other component.
#[must_use]
pub fn decompose(component: &Component) -> Option<Decomposed<'_>> {
    let bytes = component.bytes();
    let sections = sections(bytes)?;
    let mut reader = Reader::default();
    for section in &sections {
        // Sections of a valid component parse.
        reader.read(bytes, section).ok()??;
    }
    reader.finish(component)
}

impl Composition {
    /// The composition that `component` is; a component that is not a composition becomes
    /// its only node.
    #[must_use]
    pub fn of(component: &Component) -> Self {
        decompose(component).map_or_else(
            || Self::of_one_node(component),
            |decomposed| decomposed.composition,
        )
    }

    fn of_one_node(component: &Component) -> Self {
        let name = component.name().to_owned();
        let imports = component.imports().map(|import| Import {
            importer: name.clone(),
            import: import.to_owned(),
            name: import.to_owned(),
        });
        let exports = component.exports().map(|export| Export {
            name: export.to_owned(),
            provider: name.clone(),
            export: export.to_owned(),
        });
        Self {
            host_imports: component.imports().map(str::to_owned).collect(),
            named_types: named_types(component).collect(),
            nodes: vec![Node::new(&name, component.bytes())],
            wires: Vec::new(),
            imports: imports.collect(),
            exports: exports.collect(),
            name,
            ..Self::default()
        }
        .sorted()
    }
}
