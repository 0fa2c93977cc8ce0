//! An interface that a fused component exports.
//!
//! The types of an interface have names in it, and what a component exports has
//! to use them. A component that imports the functions and types, and exports
//! them under their names, gives them.

use wasm_encoder::{
    Component, ComponentExportKind, ComponentExportSection, ComponentImportSection,
    ComponentTypeRef, ComponentTypeSection, TypeBounds,
};

use super::FuseError;
use super::flat::{Exported, Flat, ImportPath};
use super::types::{Scope, Types};

/// Under which name something that is exported is imported.
pub(super) fn import_name(export: &str) -> String {
    format!("import-{export}")
}

/// Under which name a resource type is imported, by its place among them.
pub(super) fn resource_name(place: usize) -> String {
    format!("resource{place}")
}

/// The component, in the making.
pub(super) struct Interface<'a> {
    scope: Inside,
    types: Types<'a>,
}

/// What the component has so far.
#[derive(Default)]
struct Inside {
    component: Component,
    types: u32,
    functions: u32,
    /// The resource types that are imported, each with what stands for it now.
    resources: Vec<(ImportPath, u32)>,
}

impl<'a> Interface<'a> {
    pub(super) fn new(flat: &'a Flat) -> Self {
        Self {
            scope: Inside::default(),
            types: Types::new(flat),
        }
    }

    /// Imports everything in `exports`, then exports it.
    pub(super) fn pass(&mut self, exports: &[(String, Exported)]) -> Result<(), FuseError> {
        // Types come before the functions that use them. What is imported uses
        // the types that are imported, what is exported those that are exported.
        let imported = exports
            .iter()
            .map(|(name, exported)| self.import(&import_name(name), exported))
            .collect::<Result<Vec<_>, _>>()?;
        for ((name, exported), index) in exports.iter().zip(imported) {
            self.export(name, exported, index)?;
        }
        Ok(())
    }

    /// Imports something, and returns its index.
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

    /// Exports what was imported as `index`.
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
            // Made again, of the types that are exported already.
            self.types.forget_name(*ty);
            index = self.types.defined(*ty, scope)?;
        }
        scope.export(name, ComponentExportKind::Type, index, None);
        scope.types += 1;
        self.name_type(exported);
        Ok(())
    }

    /// Lets what follows use the newest type for what it stands for.
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
                // Types that were made of the resource under its former name.
                self.types.forget_derived();
            }
            Exported::Function { .. } | Exported::Instance(_) => {}
        }
    }

    /// The resources that it imports.
    pub(super) fn resources(&self) -> impl Iterator<Item = &ImportPath> {
        self.scope.resources.iter().map(|(path, _)| path)
    }

    pub(super) fn finish(self) -> Component {
        self.scope.component
    }
}

impl Inside {
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

impl Scope for Inside {
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
