//! Worlds of hosts, which components are checked against.

use std::error::Error;

use wac_types::{ItemKind, Package, Type, Types};
use wit_parser::{PackageId, PackageName, Resolve};

use super::{Packages, WitError, parse, parse_with_wasi};
use crate::catch_panic::catch_panic;

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
    let names: Vec<String> = worlds.iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "it has no world".to_owned(),
        [name] => format!("its only world is {name}"),
        [names @ .., last] => format!("its worlds are {} and {last}", names.join(", ")),
    }
}

impl World {
    /// The world `wasi:http/proxy` of WASI 0.2.12, which every HTTP host provides.
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the built-in WIT text cannot be parsed.
    pub fn wasi_http_proxy() -> Result<Self, WorldError> {
        Self::standard("wasi:http/proxy")
    }

    /// The world `wasi:cli/command` of WASI 0.2.12, which every host of programs provides;
    /// its export `wasi:cli/run` is the entry point.
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the built-in WIT text cannot be parsed.
    pub fn wasi_cli_command() -> Result<Self, WorldError> {
        Self::standard("wasi:cli/command")
    }

    /// The world `world` of WIT text; without a name, the only world of the package.
    ///
    /// Each text is a pair of file name, for messages, and contents. Texts may be the files
    /// of one package and of the packages that it uses, in any order: texts with equal
    /// `package` lines form one package. The first such line names the package that has the
    /// world, and a text without one belongs to it. The packages of WASI 0.2.12 are built in;
    /// a text with such a package replaces it.
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the texts are not valid WIT, with file, line and column, or
    /// if the world does not exist.
    pub fn from_wit(texts: &[(String, String)], world: Option<&str>) -> Result<Self, WorldError> {
        let Packages { resolve, main } = parse(texts)?;
        let main = main.ok_or(WorldError::NoText)?;
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

    /// A world of the built-in packages.
    fn standard(name: &str) -> Result<Self, WorldError> {
        let text = format!("package compose:host; world host {{ include {name}@0.2.12; }}");
        let (resolve, package) = parse_with_wasi("host.wit", &text)?;
        Self::convert(name.to_owned(), "host", &resolve, package)
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
