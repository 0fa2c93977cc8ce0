//! The imports of the original component and their types, copied unchanged.

use std::collections::HashMap;
use std::ops::Range;

use wasm_encoder::{Component, ComponentExportKind, ComponentSectionId, RawSection};
use wasmparser::{ComponentAlias, ComponentExternalKind, ComponentTypeRef, Parser, Payload};

use crate::FuseError;

/// A component with imports only, and the sizes of its index spaces.
#[derive(Default)]
pub(crate) struct Imports {
    pub(crate) component: Component,
    pub(crate) types: u32,
    pub(crate) instances: u32,
    pub(crate) functions: u32,
    /// The kind and index of each import.
    pub(crate) by_name: HashMap<String, (ComponentExportKind, u32)>,
}

impl Imports {
    /// Copies the imports of `original`.
    ///
    /// Toolchains emit the imports and their types before everything else; components with
    /// another order are rejected.
    pub(crate) fn of(original: &[u8]) -> Result<Self, FuseError> {
        let mut imports = Self::default();
        // `depth` counts the enclosing nested modules and components.
        let (mut depth, mut in_imports) = (0_u32, true);
        for payload in Parser::new(0).parse_all(original) {
            let payload = payload.map_err(FuseError::Unreadable)?;
            match payload {
                Payload::Version { .. } | Payload::CustomSection(_) => {}
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                    depth += 1;
                    in_imports = false;
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ if depth > 0 => {}
                Payload::ComponentImportSection(_) if !in_imports => {
                    return Err(scattered_imports());
                }
                payload if in_imports => in_imports = imports.copy_section(original, payload)?,
                _ => {}
            }
        }
        Ok(imports)
    }

    /// Copies a section of imports, or of their types, and returns `true`. Any other section
    /// ends the imports and is not copied.
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
                    self.add_import(import.name.name, import.ty)?;
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
                        _ => return Err(scattered_imports()),
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

    fn add_import(&mut self, name: &str, ty: ComponentTypeRef) -> Result<(), FuseError> {
        let (kind, next) = match ty {
            ComponentTypeRef::Instance(_) => (ComponentExportKind::Instance, &mut self.instances),
            ComponentTypeRef::Func(_) => (ComponentExportKind::Func, &mut self.functions),
            ComponentTypeRef::Type(_) => (ComponentExportKind::Type, &mut self.types),
            ComponentTypeRef::Module(_)
            | ComponentTypeRef::Component(_)
            | ComponentTypeRef::Value(_) => {
                return Err(FuseError::Unsupported(
                    "it imports an item other than a function or a type",
                ));
            }
        };
        self.by_name.insert(name.to_owned(), (kind, *next));
        *next += 1;
        Ok(())
    }
}

/// The error for a component with imports elsewhere.
pub(crate) fn scattered_imports() -> FuseError {
    FuseError::Unsupported("its imports do not come before its parts")
}
