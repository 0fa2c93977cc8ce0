//! Worlds of hosts, which components are checked against.

use std::error::Error;

use wac_types::{ItemKind, Package, Type, Types};
use wit_parser::{PackageId, PackageName, Resolve};

use super::qualified_name::QualifiedName;
use super::{Packages, WASI_0_3_VERSION, WitError, parse, parse_with};
use crate::catch_panic::catch_panic;
use crate::model::report::quoted;

/// The imports that a host provides to a component, and the exports that it expects.
pub struct World {
    name: String,
    types: Types,
    id: wac_types::WorldId,
}

/// Why a world is unavailable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// No WIT text is given.
    #[error("no WIT text; give at least one file")]
    NoText,
    /// The WIT text is invalid.
    #[error(transparent)]
    Wit(#[from] WitError),
    /// The package lacks the world.
    #[error(
        "the package `{package}` has no world `{name}`; {}",
        worlds_in_words(worlds)
    )]
    Missing {
        /// The name of the world.
        name: String,
        /// The package that was searched.
        package: String,
        /// The worlds of the package, sorted.
        worlds: Vec<String>,
    },
    /// No package has the world, which is named with its package.
    #[error("unknown world `{name}`; {}", known_worlds(worlds))]
    Unknown {
        /// The name, as the caller wrote it.
        name: String,
        /// The worlds of that package, or else the worlds of that name, sorted.
        worlds: Vec<String>,
    },
    /// Several versions of a package have the world.
    #[error(
        "ambiguous world `{name}`: {}; name one with its version",
        quoted(worlds)
    )]
    Ambiguous {
        /// The name, as the caller wrote it.
        name: String,
        /// The world with each version, sorted.
        worlds: Vec<String>,
    },
    /// No world is named, and the package does not have exactly one.
    #[error(
        "cannot select a world of the package `{package}`; {}",
        worlds_in_words(worlds)
    )]
    Unnamed {
        /// The package.
        package: String,
        /// The worlds of the package, sorted.
        worlds: Vec<String>,
    },
    /// The world cannot be converted to component types.
    #[error("the world `{name}` cannot be converted")]
    Convert {
        /// The name of the world.
        name: String,
        /// Error of the conversion.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

fn worlds_in_words(worlds: &[String]) -> String {
    match worlds {
        [] => "it has no world".to_owned(),
        [name] => format!("its only world is `{name}`"),
        [names @ .., last] => format!("its worlds are {} and `{last}`", quoted(names)),
    }
}

fn known_worlds(worlds: &[String]) -> String {
    if worlds.is_empty() {
        "no package has a world of that name".to_owned()
    } else {
        format!("known worlds: {}", quoted(worlds))
    }
}

impl World {
    /// The world `wasi:http/proxy` of WASI 0.2.12, which every HTTP host provides.
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the built-in WIT text cannot be parsed.
    pub fn wasi_http_proxy() -> Result<Self, WorldError> {
        Self::from_wasi("wasi:http/proxy@0.2.12")
    }

    /// The world `wasi:cli/command` of WASI 0.2.12, which every host of programs provides;
    /// its export `wasi:cli/run` is the entry point.
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the built-in WIT text cannot be parsed.
    pub fn wasi_cli_command() -> Result<Self, WorldError> {
        Self::from_wasi("wasi:cli/command@0.2.12")
    }

    /// The world `wasi:http/service` of WASI 0.3.0, which every HTTP host of that version
    /// provides.
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the built-in WIT text cannot be parsed.
    pub fn wasi_http_service() -> Result<Self, WorldError> {
        Self::from_wasi("wasi:http/service@0.3.0")
    }

    /// The world `wasi:http/middleware` of WASI 0.3.0: that of a service which forwards requests
    /// to the handler that it imports.
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the built-in WIT text cannot be parsed.
    pub fn wasi_http_middleware() -> Result<Self, WorldError> {
        Self::from_wasi("wasi:http/middleware@0.3.0")
    }

    /// The world `name` of WASI, such as `wasi:cli/command@0.3.0`. WASI 0.3.0 and 0.2.12 and
    /// earlier versions of WASI 0.2 are built in. The version is optional if only one of these two
    /// has the world.
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the world does not exist, or if both versions have it.
    pub fn from_wasi(name: &str) -> Result<Self, WorldError> {
        let unknown = || WorldError::Unknown {
            name: name.to_owned(),
            worlds: Vec::new(),
        };
        let qualified = QualifiedName::parse(name).ok_or_else(unknown)?;
        // The built-in version of WASI 0.2 is there in any case.
        let named = qualified.package_name();
        let latest = named.clone().map(|package| PackageName {
            version: Some(WASI_0_3_VERSION),
            ..package
        });
        let wanted: Vec<_> = [named, latest].into_iter().flatten().collect();
        let resolve = parse_with(&[], &wanted)?.resolve;
        let package = qualified.find(&resolve)?;
        Self::convert(
            qualified.without_version(),
            qualified.world,
            &resolve,
            package,
        )
    }

    /// The world `world` of WIT text; without a name, the only world of the package. A world of
    /// another package is named with it, and with its version if several versions have the
    /// world: `wasi:http/service@0.3.0`.
    ///
    /// Each text is a pair of file name, for messages, and contents. Texts may be the files
    /// of one package and of the packages that it uses, in any order: texts with equal
    /// `package` lines form one package. The first such line names the package that has the
    /// world, and a text without one belongs to it. The packages of WASI 0.2.12 and 0.3.0 are
    /// built in; a text with such a package replaces it.
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the texts are not valid WIT, with file, line and column, or
    /// if the world does not exist.
    pub fn from_wit(texts: &[(String, String)], world: Option<&str>) -> Result<Self, WorldError> {
        let Packages { resolve, main } = parse(texts)?;
        let main = main.ok_or(WorldError::NoText)?;
        if let Some(name) = world.and_then(QualifiedName::parse) {
            let package = name.find(&resolve)?;
            return Self::convert(name.without_version(), name.world, &resolve, package);
        }
        let package = &resolve.packages[main];
        let worlds = || {
            let mut worlds: Vec<String> = package.worlds.keys().cloned().collect();
            worlds.sort();
            worlds
        };
        let name = match (world, package.worlds.len()) {
            (Some(name), _) => name,
            (None, 1) => package.worlds.keys().next().map_or("", String::as_str),
            (None, _) => {
                return Err(WorldError::Unnamed {
                    package: package.name.to_string(),
                    worlds: worlds(),
                });
            }
        };
        if !package.worlds.contains_key(name) {
            return Err(WorldError::Missing {
                name: name.to_owned(),
                package: package.name.to_string(),
                worlds: worlds(),
            });
        }
        let PackageName {
            namespace,
            name: package,
            ..
        } = &package.name;
        Self::convert(
            format!("{namespace}:{package}/{name}"),
            name,
            &resolve,
            main,
        )
    }

    /// The name of the world, without a version.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The types that [`Self::world`] refers to.
    pub(crate) fn types(&self) -> &Types {
        &self.types
    }

    /// The imports and exports with their types.
    pub(crate) fn world(&self) -> &wac_types::World {
        &self.types[self.id]
    }

    /// Converts the world `world` of `package`, under the name `name`.
    fn convert(
        name: String,
        world: &str,
        resolve: &Resolve,
        package: PackageId,
    ) -> Result<Self, WorldError> {
        let mut types = Types::default();
        // An encoded WIT package exports, for each world, a component type whose only export
        // is the world.
        let id = encode(resolve, package)
            .and_then(|bytes| {
                catch_panic(|| Package::from_bytes(&name, None, bytes, &mut types))?
                    .map_err(Into::into)
            })
            .and_then(|package| {
                let Some(ItemKind::Type(Type::World(wrapper))) =
                    types[package.ty()].exports.get(world)
                else {
                    return Err("it is not in the package".into());
                };
                match types[*wrapper].exports.values().next() {
                    Some(ItemKind::Component(id)) => Ok(*id),
                    _ => Err("it is not a world".into()),
                }
            });
        match id {
            Ok(id) => Ok(Self { name, types, id }),
            Err(source) => Err(WorldError::Convert { name, source }),
        }
    }
}

fn encode(resolve: &Resolve, package: PackageId) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    catch_panic(|| wit_component::encode(resolve, package))?.map_err(Into::into)
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
