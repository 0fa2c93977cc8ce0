//! Imports that only name a type.
//!
//! A world can use a type of an interface (`use wasi:http/types.{method}`) or declare one.
//! The component then imports a type with the bound `eq`: equal to a type of an imported
//! instance, or to one that is written out. The import names the type and requires nothing
//! of the host. A resource that a world declares is different: its import has the bound
//! `sub resource`, and the host has to define it.

use std::collections::BTreeMap;

use wasmparser::{
    BinaryReader, BinaryReaderError, ComponentAlias, ComponentAliasSectionReader,
    ComponentExportSectionReader, ComponentExternalKind, ComponentImportSectionReader,
    ComponentInstanceSectionReader, ComponentOuterAliasKind, ComponentTypeRef,
    ComponentTypeSectionReader, TypeBounds,
};

use super::sections::{Section, id, sections};

/// A type of an imported instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsedType {
    /// The import that provides the instance.
    pub(crate) import: String,
    /// The name of the type in the instance.
    pub(crate) name: String,
}

/// The imports that only name a type, each with the type of an imported instance that it
/// is equal to, if any.
pub(crate) type TypeImports = BTreeMap<String, Option<UsedType>>;

/// Reads the imports of a valid component that only name a type.
pub(crate) fn type_imports(bytes: &[u8]) -> TypeImports {
    let mut reader = Reader::default();
    for section in sections(bytes).unwrap_or_default() {
        // Sections of a valid component parse.
        if reader.read(bytes, &section).is_err() {
            break;
        }
    }
    reader.found
}

/// The index spaces of types and instances, as far as their items come from imports.
#[derive(Default)]
struct Reader {
    types: Vec<Option<UsedType>>,
    instances: Vec<Option<String>>,
    found: TypeImports,
}

impl Reader {
    fn read(&mut self, bytes: &[u8], section: &Section) -> Result<(), BinaryReaderError> {
        let content = &bytes[section.content.clone()];
        let reader = || BinaryReader::new(content, section.content.start as u64);
        match section.id {
            id::TYPE => {
                for ty in ComponentTypeSectionReader::new(reader())? {
                    ty?;
                    self.types.push(None);
                }
            }
            id::INSTANCE => {
                for instance in ComponentInstanceSectionReader::new(reader())? {
                    instance?;
                    self.instances.push(None);
                }
            }
            id::ALIAS => {
                for alias in ComponentAliasSectionReader::new(reader())? {
                    self.add_alias(&alias?);
                }
            }
            id::IMPORT => {
                for import in ComponentImportSectionReader::new(reader())? {
                    let import = import?;
                    self.add_import(import.name.name, import.ty);
                }
            }
            id::EXPORT => {
                for export in ComponentExportSectionReader::new(reader())? {
                    let export = export?;
                    match export.kind {
                        ComponentExternalKind::Type => self.types.push(self.ty(export.index)),
                        ComponentExternalKind::Instance => self.instances.push(None),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_import(&mut self, name: &str, ty: ComponentTypeRef) {
        match ty {
            ComponentTypeRef::Instance(_) => self.instances.push(Some(name.to_owned())),
            ComponentTypeRef::Type(TypeBounds::Eq(index)) => {
                let used = self.ty(index);
                self.found.insert(name.to_owned(), used.clone());
                self.types.push(used);
            }
            ComponentTypeRef::Type(TypeBounds::SubResource) => self.types.push(None),
            _ => {}
        }
    }

    fn add_alias(&mut self, alias: &ComponentAlias<'_>) {
        match *alias {
            ComponentAlias::InstanceExport {
                kind: ComponentExternalKind::Type,
                instance_index,
                name,
            } => {
                let instance = self.instances.get(instance_index as usize);
                let used = instance.cloned().flatten().map(|import| UsedType {
                    import,
                    name: name.to_owned(),
                });
                self.types.push(used);
            }
            ComponentAlias::InstanceExport {
                kind: ComponentExternalKind::Instance,
                ..
            } => self.instances.push(None),
            ComponentAlias::Outer {
                kind: ComponentOuterAliasKind::Type,
                ..
            } => self.types.push(None),
            _ => {}
        }
    }

    fn ty(&self, index: u32) -> Option<UsedType> {
        self.types.get(index as usize).cloned().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_imports_include_eq_bounds_and_exclude_resources_of_the_world() {
        let bytes = wat::parse_str(
            r#"(component
                (import "a:b/t" (instance $t
                    (type $e (enum "x"))
                    (export "e" (type (eq $e)))
                    (export "r" (type (sub resource)))))
                (alias export $t "r" (type $r))
                (import "mine" (type $mine (eq $r)))
                (import "again" (type (eq $mine)))
                (import "fresh" (type (sub resource)))
                (type $own (enum "y"))
                (import "own" (type (eq $own)))
                (import "f" (func)))"#,
        )
        .expect("valid WAT");
        let r = Some(UsedType {
            import: "a:b/t".to_owned(),
            name: "r".to_owned(),
        });
        let expected = [
            ("again".to_owned(), r.clone()),
            ("mine".to_owned(), r),
            ("own".to_owned(), None),
        ];
        assert_eq!(type_imports(&bytes), TypeImports::from(expected));
    }
}
