//! A named, validated component: the input of every operation.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;

use wac_types::{ItemKind, Package, Type, Types, World};
use wasmparser::{BinaryReaderError, Parser, Payload, Validator};

use super::component_error::ComponentError;
use crate::binary::instance_count::{MAX_INSTANCES, instance_count};
use crate::binary::offset_context::offset_context;
use crate::binary::type_imports::{TypeImports, type_imports};
use crate::catch_panic::{CaughtPanic, catch_panic};

/// A valid component under a name.
///
/// The caller chooses the name, for example the stem of the file that the component was
/// read from. Messages and compositions identify the component by it.
#[derive(Clone)]
pub struct Component {
    types: Types,
    package: Package,
    type_imports: TypeImports,
}

/// The name of an import or an export, or of an item of an imported or exported instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemName<'c> {
    /// Whether it belongs to an export.
    pub is_export: bool,
    /// The name of the import or export.
    pub name: &'c str,
    /// The name of the item within the instance; `None` for the import or export itself.
    pub item: Option<&'c str>,
}

/// Maximum nesting depth of components. Compositions of compositions stay far below it.
pub(super) const MAX_DEPTH: usize = 100;

/// Maximum number of component and instance types in one section. Common toolchains emit
/// two.
pub(super) const MAX_NESTED_TYPES: usize = 100;

impl Component {
    /// Validates `bytes` as a component.
    ///
    /// # Errors
    ///
    /// Returns a [`ComponentError`] that names what the bytes are instead.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Result<Self, ComponentError> {
        let name = name.into();
        let bytes = bytes.into();
        reject_other_formats(&name, &bytes)?;
        reject_deep_nesting(&name, &bytes)?;

        // The default features: stricter than `wac`, which accepts every proposal, and what
        // current hosts run.
        let declared_bytes = catch_panic(|| Validator::new().validate_all(&bytes).map(|_| ()))
            .map_err(|_| ComponentError::TooDeepTypes { name: name.clone() })?
            .and_then(|()| declared_length_bytes(&bytes));
        match declared_bytes {
            Err(error) => {
                return Err(ComponentError::Invalid {
                    name,
                    reason: error.message().to_owned(),
                    context: offset_context(&bytes, error.offset()).to_string(),
                });
            }
            Ok(declared_bytes) if declared_bytes > bytes.len() as u64 => {
                return Err(ComponentError::CutShort {
                    name,
                    length_bytes: bytes.len() as u64,
                    declared_bytes,
                });
            }
            Ok(_) => {}
        }

        let mut types = Types::default();
        let package =
            package(&name, bytes, &mut types).map_err(|source| ComponentError::Unsupported {
                name: name.clone(),
                source,
            })?;
        let component = Self {
            type_imports: type_imports(package.bytes()),
            types,
            package,
        };
        if component.is_wit_package() {
            return Err(ComponentError::WitPackage { name });
        }
        Ok(component)
    }

    /// The name given to [`Self::new`].
    #[must_use]
    pub fn name(&self) -> &str {
        self.package.name()
    }

    /// The binary form.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.package.bytes()
    }

    /// The names of the imports that a host or another component has to provide, in
    /// binary order.
    ///
    /// Imports that only name a type, as `use wasi:http/types.{method}` in a world
    /// does, are left out.
    pub fn imports(&self) -> impl Iterator<Item = &str> {
        let names = self.world().imports.keys().map(String::as_str);
        names.filter(|name| !self.type_imports.contains_key(*name))
    }

    /// The names of the exports, in binary order.
    pub fn exports(&self) -> impl Iterator<Item = &str> {
        self.world().exports.keys().map(String::as_str)
    }

    /// The names of all imports and exports, and of the items of those that are instances.
    #[must_use]
    pub fn item_names(&self) -> BTreeSet<ItemName<'_>> {
        let imports = self.world().imports.iter().map(|item| (false, item));
        let exports = self.world().exports.iter().map(|item| (true, item));
        let mut names = BTreeSet::new();
        for (is_export, (name, kind)) in imports.chain(exports) {
            let outer = ItemName {
                is_export,
                name,
                item: None,
            };
            names.insert(outer);
            if let ItemKind::Instance(interface) = kind {
                let items = self.types[*interface].exports.keys();
                names.extend(items.map(|item| ItemName {
                    item: Some(item),
                    ..outer
                }));
            }
        }
        names
    }

    /// Whether one instance consists of at most 100,000 nested instances, so that they can
    /// be visited one by one.
    #[must_use]
    pub fn has_bounded_instances(&self) -> bool {
        instance_count(self.bytes()) <= MAX_INSTANCES
    }

    /// The imports that only name a type.
    pub(crate) fn type_imports(&self) -> &TypeImports {
        &self.type_imports
    }

    /// The types that [`Self::world`] refers to.
    pub(crate) fn types(&self) -> &Types {
        &self.types
    }

    /// The imports and exports with their types.
    pub(crate) fn world(&self) -> &World {
        &self.types[self.package.ty()]
    }

    /// Adds the component to `types`, which several components can share.
    pub(crate) fn package_in(
        &self,
        types: &mut Types,
    ) -> Result<Package, Box<dyn Error + Send + Sync>> {
        package(self.name(), self.bytes().to_vec(), types)
    }

    /// A WIT package in binary form is a component that only exports types.
    fn is_wit_package(&self) -> bool {
        let World {
            imports, exports, ..
        } = self.world();
        let is_definition =
            |kind: &ItemKind| matches!(kind, ItemKind::Type(Type::World(_) | Type::Interface(_)));
        imports.is_empty() && !exports.is_empty() && exports.values().all(is_definition)
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("name", &self.name())
            .field("bytes", &self.bytes().len())
            .finish_non_exhaustive()
    }
}

fn reject_other_formats(name: &str, bytes: &[u8]) -> Result<(), ComponentError> {
    let name = || name.to_owned();
    if bytes.is_empty() {
        Err(ComponentError::Empty { name: name() })
    } else if Parser::is_core_wasm(bytes) {
        Err(ComponentError::CoreModule { name: name() })
    } else if bytes.starts_with(b"\0asm") {
        Ok(())
    } else if !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok() {
        Err(ComponentError::Text { name: name() })
    } else {
        Err(ComponentError::NotWasm { name: name() })
    }
}

/// Rejects nesting that would exhaust the stack, as far as the bytes can be parsed; the
/// validator reports parse errors.
fn reject_deep_nesting(name: &str, bytes: &[u8]) -> Result<(), ComponentError> {
    let name = || name.to_owned();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::Version { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ComponentTypeSection(section)) => {
                // Each level of types begins with one of these bytes. Other bytes of the same
                // value make the count slightly too large.
                let range = section.range();
                let types = usize::try_from(range.start)
                    .ok()
                    .zip(usize::try_from(range.end).ok())
                    .and_then(|(start, end)| bytes.get(start..end))
                    .unwrap_or_default();
                let begins = types.iter().filter(|byte| matches!(byte, 0x41 | 0x42));
                if begins.count() > MAX_NESTED_TYPES {
                    return Err(ComponentError::TooManyNestedTypes { name: name() });
                }
            }
            Ok(_) => {}
            Err(_) => break,
        }
        if depth > MAX_DEPTH {
            return Err(ComponentError::TooDeep { name: name() });
        }
    }
    Ok(())
}

/// End of the last nested module or component, according to the section headers.
///
/// The validator does not check it, and accepts a component that ends between two sections
/// of a nested one.
fn declared_length_bytes(bytes: &[u8]) -> Result<u64, BinaryReaderError> {
    let mut length_bytes = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::ModuleSection {
            unchecked_range, ..
        }
        | Payload::ComponentSection {
            unchecked_range, ..
        } = payload?
        {
            length_bytes = length_bytes.max(unchecked_range.end);
        }
    }
    Ok(length_bytes)
}

fn package(
    name: &str,
    bytes: Vec<u8>,
    types: &mut Types,
) -> Result<Package, Box<dyn Error + Send + Sync>> {
    catch_panic(|| Package::from_bytes(name, None, bytes, types))
        .map_err(|panic: CaughtPanic| -> Box<dyn Error + Send + Sync> { panic.into() })?
        .map_err(Into::into)
}
