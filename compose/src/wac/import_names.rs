//! Imports with a plain name.

use wasm_encoder::reencode::{ReencodeComponent as _, RoundtripReencoder};
use wasm_encoder::{ComponentImportSection, ComponentSection as _};
use wasmparser::{BinaryReader, ComponentImportSectionReader};

use crate::binary::sections::{id, sections};

/// Removes the interface name from imports with a plain name: `import z: i;` becomes an
/// import of an instance `z` with the type of `i`.
///
/// `wac` also encodes the name of the interface, with the proposal `implements`, which
/// current hosts do not support. The rest of the component is unchanged.
pub(super) fn without_interfaces(bytes: Vec<u8>) -> Vec<u8> {
    rewritten(&bytes).unwrap_or(bytes)
}

fn rewritten(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut result = Vec::with_capacity(bytes.len());
    let mut is_changed = false;
    let mut copied = 0;
    for section in sections(bytes)? {
        if section.id != id::IMPORT {
            continue;
        }
        let content = bytes.get(section.content.clone())?;
        let reader = BinaryReader::new(content, section.content.start as u64);
        let mut imports = ComponentImportSection::new();
        let mut has_interface = false;
        for import in ComponentImportSectionReader::new(reader).ok()? {
            let import = import.ok()?;
            has_interface |= import.name.implements.is_some();
            let ty = RoundtripReencoder.component_type_ref(import.ty).ok()?;
            imports.import(import.name.name, ty);
        }
        if has_interface {
            result.extend_from_slice(bytes.get(copied..section.start)?);
            imports.append_to_component(&mut result);
            copied = section.content.end;
            is_changed = true;
        }
    }
    result.extend_from_slice(bytes.get(copied..)?);
    is_changed.then_some(result)
}
