//! An exported interface with named types.
//!
//! The types of an interface have names, and exported items must use the named types. A
//! nested component that imports functions and types and exports them again provides them.

use wasm_encoder::{
    Component, ComponentExportKind, ComponentExportSection, ComponentImportSection,
    ComponentTypeRef, ComponentTypeSection, TypeBounds,
};

use super::types::{Scope, Types};
use crate::FuseError;
use crate::flatten::flat::{Exported, Flat, ImportPath};

/// The import name of an exported item.
pub(crate) fn import_name(export: &str) -> String {
    format!("import-{export}")
}

/// The import name of a resource type, by its position.
pub(crate) fn resource_name(position: usize) -> String {
    format!("resource{position}")
}

/// The unfinished nested component.
pub(crate) struct Interface<'a> {
    scope: InterfaceScope,
    types: Types<'a>,
}

/// The sections of the component, and the sizes of its index spaces.
#[derive(Default)]
struct InterfaceScope {
    component: Component,
    types: u32,
    functions: u32,
    /// The imported resource types, each with the index of its current name.
    resources: Vec<(ImportPath, u32)>,
}

impl<'a> Interface<'a> {
    pub(crate) fn new(flat: &'a Flat) -> Self {
        Self {
            scope: InterfaceScope::default(),
            types: Types::new(flat),
        }
    }

    /// Imports all items of `exports`, and exports them again.
    pub(crate) fn reexport(&mut self, exports: &[(String, Exported)]) -> Result<(), FuseError> {
        // Types precede the functions that use them. Imported items use imported types,
        // exported items exported types.
        let imported = exports
            .iter()
            .map(|(name, exported)| self.import(&import_name(name), exported))
            .collect::<Result<Vec<_>, _>>()?;
        for ((name, exported), index) in exports.iter().zip(imported) {
            self.export(name, exported, index)?;
        }
        Ok(())
    }

    /// Imports an item, and returns its index.
    fn import(&mut self, name: &str, exported: &Exported) -> Result<u32, FuseError> {
        let scope = &mut self.scope;
        let bounds = match exported {
            Exported::Function { ty, .. } => {
                let ty = self.types.function(*ty, scope)?;
                scope.import(name, ComponentTypeRef::Func(ty));
                scope.functions += 1;
                return Ok(scope.functions - 1);
            }
            Exported::Type(ty) => TypeBounds::Eq(self.types.defined(*ty, scope)?),
            Exported::Resource(path) => TypeBounds::Eq(scope.resource(path)?),
            Exported::Instance(_) => {
                return Err(FuseError::Unsupported(
                    "it exports instances within an instance",
                ));
            }
        };
        scope.import(name, ComponentTypeRef::Type(bounds));
        scope.types += 1;
        self.name_type(exported);
        Ok(self.scope.types - 1)
    }

    /// Exports the import `index`.
    fn export(&mut self, name: &str, exported: &Exported, index: u32) -> Result<(), FuseError> {
        let scope = &mut self.scope;
        if let Exported::Function { ty, .. } = exported {
            let ty = self.types.function(*ty, scope)?;
            let ty = Some(ComponentTypeRef::Func(ty));
            scope.export(name, ComponentExportKind::Func, index, ty);
            scope.functions += 1;
            return Ok(());
        }
        let mut index = index;
        if let Exported::Type(ty) = exported {
            // Defined again, from the types that are exported already.
            self.types.forget_name(*ty);
            index = self.types.defined(*ty, scope)?;
        }
        scope.export(name, ComponentExportKind::Type, index, None);
        scope.types += 1;
        self.name_type(exported);
        Ok(())
    }

    /// Makes later items refer to the most recent type.
    fn name_type(&mut self, exported: &Exported) {
        let newest = self.scope.types - 1;
        match exported {
            Exported::Type(ty) => {
                self.types.forget_derived();
                self.types.rename(*ty, newest);
            }
            Exported::Resource(path) => {
                for (known, stands_for) in &mut self.scope.resources {
                    if known == path {
                        *stands_for = newest;
                    }
                }
                // Types derived from the previous name of the resource.
                self.types.forget_derived();
            }
            Exported::Function { .. } | Exported::Instance(_) => {}
        }
    }

    /// The imported resources.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &ImportPath> {
        self.scope.resources.iter().map(|(path, _)| path)
    }

    pub(crate) fn finish(self) -> Component {
        self.scope.component
    }
}

impl InterfaceScope {
    fn import(&mut self, name: &str, ty: ComponentTypeRef) {
        let mut section = ComponentImportSection::new();
        section.import(name, ty);
        self.component.section(&section);
    }

    fn export(
        &mut self,
        name: &str,
        kind: ComponentExportKind,
        index: u32,
        ty: Option<ComponentTypeRef>,
    ) {
        let mut section = ComponentExportSection::new();
        section.export(name, kind, index, ty);
        self.component.section(&section);
    }
}

impl Scope for InterfaceScope {
    fn add_type(&mut self, section: &ComponentTypeSection) -> u32 {
        self.component.section(section);
        self.types += 1;
        self.types - 1
    }

    fn resource(&mut self, path: &ImportPath) -> Result<u32, FuseError> {
        if let Some((_, ty)) = self.resources.iter().find(|(known, _)| known == path) {
            return Ok(*ty);
        }
        let ty = ComponentTypeRef::Type(TypeBounds::SubResource);
        self.import(&resource_name(self.resources.len()), ty);
        self.types += 1;
        self.resources.push((path.clone(), self.types - 1));
        Ok(self.types - 1)
    }
}
