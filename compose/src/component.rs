//! A component, as every operation takes it: a name and bytes that were checked.

use std::error::Error;
use std::fmt;

use sanitize::line;
use wac_types::{ItemKind, Package, Type, Types, World};
use wasmparser::{BinaryReaderError, Parser, Payload, Validator};

use crate::guard::{Unrepresentable, guard};
use crate::place::place;
use crate::type_imports::{TypeImports, type_imports};

/// A valid component under a name.
///
/// The name is the caller's, for example the stem of the file that the component
/// was read from. Messages and compositions use it to tell components apart.
#[derive(Clone)]
pub struct Component {
    types: Types,
    package: Package,
    type_imports: TypeImports,
}

/// Why bytes are not a component that can be composed.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// There are no bytes.
    #[error("`{name}` is empty, expected a component")]
    Empty {
        /// The name of the input.
        name: String,
    },
    /// The bytes are a core module.
    #[error(
        "`{name}` is a core module, not a component; make a component of it with \
         `wasm-tools component new`"
    )]
    CoreModule {
        /// The name of the input.
        name: String,
    },
    /// The bytes are text, perhaps WAT.
    #[error(
        "`{name}` is text, not a component; if it is the text format, assemble it with \
         `wasm-tools parse`"
    )]
    Text {
        /// The name of the input.
        name: String,
    },
    /// The bytes are something that is not WebAssembly.
    #[error("`{name}` is not WebAssembly: it does not start with the bytes `\\0asm`")]
    NotWasm {
        /// The name of the input.
        name: String,
    },
    /// The bytes are a WIT package in binary form.
    #[error("`{name}` is a WIT package: it describes interfaces, but contains no code")]
    WitPackage {
        /// The name of the input.
        name: String,
    },
    /// The component ends inside one of its nested modules or components.
    #[error(
        "`{name}` is cut short: it ends at byte {length_bytes}, but says that it goes on to byte \
         {declared_bytes}; copy all of it"
    )]
    CutShort {
        /// The name of the input.
        name: String,
        /// How long it is.
        length_bytes: u64,
        /// How long it says that it is, at least.
        declared_bytes: u64,
    },
    /// Components are nested deeper than anything that follows them can go.
    #[error("`{name}` has components nested in components more than {MAXIMUM_DEPTH} deep")]
    TooDeep {
        /// The name of the input.
        name: String,
    },
    /// A section may have types nested deeper than anything that follows them can go.
    #[error(
        "`{name}` has more than {MAXIMUM_NESTED_TYPES} component and instance types in one section, \
         which may be nested too deep to be followed"
    )]
    TooManyNestedTypes {
        /// The name of the input.
        name: String,
    },
    /// A type refers to others, and those to further ones, deeper than the validator
    /// goes.
    #[error(
        "`{name}` has a type that is made of others more than {MAXIMUM_DEPTH} deep; build it with \
         fewer levels of types"
    )]
    TooDeepTypes {
        /// The name of the input.
        name: String,
    },
    /// The component is damaged or breaks a rule of its format.
    #[error(
        "`{name}` is not a valid component: {} ({place}); build it again, or copy all of it",
        line(reason)
    )]
    Invalid {
        /// The name of the input.
        name: String,
        /// What is wrong.
        reason: String,
        /// Where, in words.
        place: String,
    },
    /// The component is valid, but uses something that `wac` does not know.
    #[error("`{name}` is valid, but cannot be composed")]
    Unsupported {
        /// The name of the input.
        name: String,
        /// What `wac` said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// How deep components may be nested: far more than compositions of compositions
/// are.
const MAXIMUM_DEPTH: usize = 100;

/// How many component and instance types one section may have. Those of common
/// toolchains have two.
const MAXIMUM_NESTED_TYPES: usize = 100;

impl Component {
    /// Takes `bytes` as a component and validates all of it.
    ///
    /// # Errors
    ///
    /// Returns a [`ComponentError`] that says what the bytes are instead.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Result<Self, ComponentError> {
        let name = name.into();
        let bytes = bytes.into();
        refuse_other_formats(&name, &bytes)?;
        refuse_deep(&name, &bytes)?;

        // The features that are on by default: stricter than `wac`, which takes
        // every proposal, and what a host of today runs.
        let declared_bytes = guard(|| Validator::new().validate_all(&bytes).map(|_| ()))
            .map_err(|_| ComponentError::TooDeepTypes { name: name.clone() })?
            .and_then(|()| declared_length_bytes(&bytes));
        match declared_bytes {
            Err(error) => {
                return Err(ComponentError::Invalid {
                    name,
                    reason: error.message().to_owned(),
                    place: place(&bytes, error.offset()).to_string(),
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

    /// The name that the caller gave.
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
    /// the order of the binary.
    ///
    /// Imports that only name a type, as `use wasi:http/types.{method}` in a world
    /// does, are not among them.
    pub fn imports(&self) -> impl Iterator<Item = &str> {
        let names = self.world().imports.keys().map(String::as_str);
        names.filter(|name| !self.type_imports.contains_key(*name))
    }

    /// The names of the exports, in the order of the binary.
    pub fn exports(&self) -> impl Iterator<Item = &str> {
        self.world().exports.keys().map(String::as_str)
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

fn refuse_other_formats(name: &str, bytes: &[u8]) -> Result<(), ComponentError> {
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

/// Refuses what is nested so deep that the stack would not do, as far as the bytes can
/// be read; the validator says what is wrong with the rest.
fn refuse_deep(name: &str, bytes: &[u8]) -> Result<(), ComponentError> {
    let name = || name.to_owned();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::Version { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ComponentTypeSection(section)) => {
                // Each level of types begins with one of these bytes. Others of this
                // value make the count too large, but not by much.
                let range = section.range();
                let types = usize::try_from(range.start)
                    .ok()
                    .zip(usize::try_from(range.end).ok())
                    .and_then(|(start, end)| bytes.get(start..end))
                    .unwrap_or_default();
                let begins = types.iter().filter(|byte| matches!(byte, 0x41 | 0x42));
                if begins.count() > MAXIMUM_NESTED_TYPES {
                    return Err(ComponentError::TooManyNestedTypes { name: name() });
                }
            }
            Ok(_) => {}
            Err(_) => break,
        }
        if depth > MAXIMUM_DEPTH {
            return Err(ComponentError::TooDeep { name: name() });
        }
    }
    Ok(())
}

/// Up to where the nested modules and components go on.
///
/// The validator leaves this unchecked, so that it accepts a component that ends
/// between two sections of a nested one.
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
    guard(|| Package::from_bytes(name, None, bytes, types))
        .map_err(|panic: Unrepresentable| -> Box<dyn Error + Send + Sync> { panic.into() })?
        .map_err(Into::into)
}
