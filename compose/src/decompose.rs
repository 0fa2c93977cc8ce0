//! Reads off a composed component what it is composed of.
//!
//! A composition is a component without code of its own: it contains other
//! components, makes instances of them, and passes exports of some as imports to
//! others. That is what this library makes, and `wac` and `wasm-tools compose` do.

mod reader;

use std::collections::BTreeMap;

use crate::component::Component;
use crate::sections::sections;
use crate::structure::{Export, Import, Part, Structure, named_types};
use reader::Reader;

/// A composed component, taken apart.
#[derive(Debug, Clone)]
pub struct Decomposed<'b> {
    /// What it consists of.
    pub structure: Structure,
    /// The bytes of each part, by its name.
    pub parts: BTreeMap<String, &'b [u8]>,
}

/// Takes a composed component apart.
///
/// Returns nothing if `component` is not a composition: it has code of its own, or
/// makes no instance of another.
#[must_use]
pub fn decompose(component: &Component) -> Option<Decomposed<'_>> {
    let bytes = component.bytes();
    let sections = sections(bytes)?;
    let mut reader = Reader::default();
    for section in &sections {
        // The component is valid, so each section can be read.
        reader.read(bytes, section).ok()??;
    }
    reader.finish(component)
}

impl Structure {
    /// What `component` consists of: if it is no composition, it is the one part
    /// itself.
    #[must_use]
    pub fn of(component: &Component) -> Self {
        decompose(component).map_or_else(
            || Self::of_one_part(component),
            |decomposed| decomposed.structure,
        )
    }

    fn of_one_part(component: &Component) -> Self {
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
            parts: vec![Part::new(&name, component.bytes())],
            wires: Vec::new(),
            imports: imports.collect(),
            exports: exports.collect(),
            name,
            ..Self::default()
        }
        .sorted()
    }
}
