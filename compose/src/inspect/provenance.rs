//! Provenance: the record of the inputs of a composition, in a custom section.
//!
//! The record is JSON at the end of the component, which hosts skip. It proves that the
//! bytes are those that were composed; it does not prove the author, because a new record
//! can be written after any change.

use serde::{Deserialize, Serialize};
use wasm_encoder::{ComponentSection, CustomSection};

use crate::binary::sections::{Section, custom, id, sections};
use crate::decompose::decompose;
use crate::model::component::Component;
use crate::model::component_error::ComponentError;
use crate::model::composition::{Composition, Export, Import, Node, Wire, sha256};

/// The name of the custom section.
pub const PROVENANCE_SECTION: &str = "component-compose:provenance";

/// The version of the record format.
pub(super) const FORMAT: u32 = 1;

/// The record of the inputs of a composition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The version of the record format: 1.
    pub format: u32,
    /// The program that encoded the composition.
    pub tool: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 digest of the whole file, up to the end of the record, with 64
    /// zeros in place of this digest.
    pub sha256: String,
    /// The inputs.
    pub parts: Vec<Node>,
    /// The wires between them.
    pub wires: Vec<Wire>,
    /// The imports that the host has to satisfy.
    pub imports: Vec<Import>,
    /// The exports of the composition.
    pub exports: Vec<Export>,
    /// All imports of the composition.
    pub host_imports: Vec<String>,
    /// Connections that this data model cannot express, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undescribed: Vec<String>,
}

/// Placeholder of the digest while it is computed.
pub(super) const NO_DIGEST: &str =
    "0000000000000000000000000000000000000000000000000000000000000000";

/// Appends the record of `composition` to its `bytes`.
pub(crate) fn append_record(bytes: &mut Vec<u8>, composition: &Composition) -> Provenance {
    let Composition {
        nodes,
        wires,
        imports,
        exports,
        host_imports,
        undescribed,
        // Derived from the bytes of the parts.
        named_types: _,
        name: _,
    } = composition.clone();
    let mut provenance = Provenance {
        format: FORMAT,
        tool: "component-compose".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sha256: NO_DIGEST.to_owned(),
        parts: nodes,
        wires,
        imports,
        exports,
        host_imports,
        undescribed,
    };
    let stamped = [bytes.as_slice(), &section(&provenance)].concat();
    provenance.sha256 = sha256(&stamped);
    bytes.extend(section(&provenance));
    provenance
}

fn section(provenance: &Provenance) -> Vec<u8> {
    // Serializing strings and integers in structs does not fail.
    let data = serde_json::to_vec(provenance).unwrap_or_default();
    let section = CustomSection {
        name: PROVENANCE_SECTION.into(),
        data: data.into(),
    };
    let mut bytes = Vec::new();
    section.append_to_component(&mut bytes);
    bytes
}

/// Appends the record to a composition that another tool made, and replaces an existing
/// record. A component that is not a composition is returned unchanged.
///
/// # Errors
///
/// Returns a [`ComponentError`] if `bytes` are not a component.
pub fn record(name: &str, mut bytes: Vec<u8>) -> Result<Vec<u8>, ComponentError> {
    let component = Component::new(name, bytes.as_slice())?;
    if let Some(decomposed) = decompose(&component) {
        remove_records(&mut bytes);
        append_record(&mut bytes, &decomposed.composition);
    }
    Ok(bytes)
}

fn remove_records(bytes: &mut Vec<u8>) {
    let sections = sections(bytes).unwrap_or_default();
    // From the end, so that the remaining offsets stay valid.
    for section in sections.iter().rev() {
        if is_record(bytes, section) {
            bytes.drain(section.start..section.content.end);
        }
    }
}

fn is_record(bytes: &[u8], section: &Section) -> bool {
    let name = custom(&bytes[section.content.clone()]).map(|(name, _)| name);
    section.id == id::CUSTOM && name == Some(PROVENANCE_SECTION)
}
