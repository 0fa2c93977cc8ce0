//! The imports of a component, as they are, with the types that these need.

use std::collections::HashMap;
use std::ops::Range;

use wasm_encoder::{Component, ComponentExportKind, ComponentSectionId, RawSection};
use wasmparser::{ComponentAlias, ComponentExternalKind, ComponentTypeRef, Parser, Payload};

use super::FuseError;

/// A component that has imports and nothing else so far, and how much it has.
#[derive(Default)]
pub(super) struct Head {
    pub(super) component: Component,
    pub(super) types: u32,
    pub(super) instances: u32,
    pub(super) functions: u32,
    /// The index of everything that is imported.
    pub(super) imports: HashMap<String, (ComponentExportKind, u32)>,
}

impl Head {
    /// Begins a component with the imports of another, as they are.
    ///
    /// Toolchains put the imports, and the types that these need, before all
    /// else. A component that does not is refused.
    pub(super) fn of(original: &[u8]) -> Result<Self, FuseError> {
        let mut head = Self::default();
        // Nested modules and components, and how deep they lie.
        let (mut depth, mut in_head) = (0_u32, true);
        for payload in Parser::new(0).parse_all(original) {
            let payload = payload.map_err(FuseError::Unreadable)?;
            match payload {
                Payload::Version { .. } | Payload::CustomSection(_) => {}
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                    depth += 1;
                    in_head = false;
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ if depth > 0 => {}
                Payload::ComponentImportSection(_) if !in_head => return Err(scattered()),
                payload if in_head => in_head = head.copy_section(original, payload)?,
                _ => {}
            }
        }
        Ok(head)
    }

    /// Copies a section of imports, or of what these need. Anything else ends
    /// the head, and is left.
    fn copy_section(&mut self, original: &[u8], section: Payload<'_>) -> Result<bool, FuseError> {
        match section {
            Payload::ComponentTypeSection(section) => {
                self.types += section.count();
                self.copy(original, ComponentSectionId::Type, section.range());
            }
            Payload::ComponentImportSection(section) => {
                let range = section.range();
                for import in section {
                    let import = import.map_err(FuseError::Unreadable)?;
                    self.note_import(import.name.name, import.ty)?;
                }
                self.copy(original, ComponentSectionId::Import, range);
            }
            Payload::ComponentAliasSection(section) => {
                let range = section.range();
                let aliases = section.into_iter().collect::<Result<Vec<_>, _>>();
                let aliases = aliases.map_err(FuseError::Unreadable)?;
                let kinds = aliases.iter().map(|alias| match alias {
                    ComponentAlias::InstanceExport { kind, .. } => Some(*kind),
                    _ => None,
                });
                let Some(kinds) = kinds.collect::<Option<Vec<_>>>() else {
                    return Ok(false);
                };
                for kind in kinds {
                    match kind {
                        ComponentExternalKind::Type => self.types += 1,
                        ComponentExternalKind::Instance => self.instances += 1,
                        ComponentExternalKind::Func => self.functions += 1,
                        _ => return Err(scattered()),
                    }
                }
                self.copy(original, ComponentSectionId::Alias, range);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn copy(&mut self, original: &[u8], id: ComponentSectionId, range: Range<u64>) {
        let at = |offset: u64| usize::try_from(offset).unwrap_or(original.len());
        let data = &original[at(range.start)..at(range.end)];
        let id = id.into();
        self.component.section(&RawSection { id, data });
    }

    fn note_import(&mut self, name: &str, ty: ComponentTypeRef) -> Result<(), FuseError> {
        let (kind, next) = match ty {
            ComponentTypeRef::Instance(_) => (ComponentExportKind::Instance, &mut self.instances),
            ComponentTypeRef::Func(_) => (ComponentExportKind::Func, &mut self.functions),
            ComponentTypeRef::Type(_) => (ComponentExportKind::Type, &mut self.types),
            ComponentTypeRef::Module(_)
            | ComponentTypeRef::Component(_)
            | ComponentTypeRef::Value(_) => {
                return Err(FuseError::Unsupported(
                    "it imports something other than functions and types",
                ));
            }
        };
        self.imports.insert(name.to_owned(), (kind, *next));
        *next += 1;
        Ok(())
    }
}

/// Why a component with imports elsewhere is refused.
pub(super) fn scattered() -> FuseError {
    FuseError::Unsupported("its imports do not come before its parts")
}
