//! Worlds of hosts, to check components against.

use std::error::Error;

use wac_types::{ItemKind, Package, Type, Types};
use wit_parser::{PackageId, PackageName, Resolve};

use crate::guard::guard;
use crate::wit::{self, Packages, WitError};

/// What a host offers to a component, and expects of it.
pub struct World {
    name: String,
    types: Types,
    id: wac_types::WorldId,
}

/// Why a world is not available.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// There is no WIT text at all.
    #[error("there is no WIT text; give at least one file")]
    NoText,
    /// The WIT text was not understood.
    #[error(transparent)]
    Wit(#[from] WitError),
    /// The package has no such world.
    #[error("the package `{package}` has no world `{name}`; {}", there_are(worlds))]
    Missing {
        /// The name of the world.
        name: String,
        /// The package in which it was looked for.
        package: String,
        /// The worlds that the package has, sorted.
        worlds: Vec<String>,
    },
    /// No world is named, and the package has not exactly one.
    #[error(
        "the package `{package}` does not say which world to take; {}",
        there_are(worlds)
    )]
    Unnamed {
        /// The package.
        package: String,
        /// The worlds that the package has, sorted.
        worlds: Vec<String>,
    },
    /// The world was not converted into the form that components have.
    #[error("the world `{name}` was not understood")]
    Convert {
        /// The name of the world.
        name: String,
        /// What the conversion said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

fn there_are(worlds: &[String]) -> String {
    let names: Vec<String> = worlds.iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "it has no world".to_owned(),
        [name] => format!("its only world is {name}"),
        [names @ .., last] => format!("its worlds are {} and {last}", names.join(", ")),
    }
}

impl World {
    /// The world `wasi:http/proxy` of WASI 0.2.12: what every HTTP host offers.
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the WIT text that the library was built with
    /// cannot be parsed.
    pub fn wasi_http_proxy() -> Result<Self, WorldError> {
        Self::standard("wasi:http/proxy")
    }

    /// The world `wasi:cli/command` of WASI 0.2.12: what every host of programs
    /// offers, and `wasi:cli/run`, which it calls.
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the WIT text that the library was built with
    /// cannot be parsed.
    pub fn wasi_cli_command() -> Result<Self, WorldError> {
        Self::standard("wasi:cli/command")
    }

    /// The world `world` of WIT text; the only one of the package if it is not
    /// named.
    ///
    /// Each text is a file name, for messages, and what is in the file. Texts may
    /// be the files of one package and of the packages that it uses, in any
    /// order: those with equal `package` lines are one package. The first such
    /// line names the package that has the world, and a text without one belongs
    /// to it. The packages of WASI 0.2.12 are known; a text with such a package
    /// replaces it.
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the texts are not valid WIT, which is shown
    /// with file, line and column, or if there is no such world.
    pub fn from_wit(texts: &[(String, String)], world: Option<&str>) -> Result<Self, WorldError> {
        let Packages { resolve, main } = wit::parse(texts)?;
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

    /// A world of the packages that the library knows.
    fn standard(name: &str) -> Result<Self, WorldError> {
        let text = format!("package compose:host; world host {{ include {name}@0.2.12; }}");
        let (resolve, package) = wit::parse_with_wasi("host.wit", &text)?;
        Self::convert(name.to_owned(), "host", &resolve, package)
    }

    /// The world `world` of `package`, under the name `name`.
    fn convert(
        name: String,
        world: &str,
        resolve: &Resolve,
        package: PackageId,
    ) -> Result<Self, WorldError> {
        let mut types = Types::default();
        // An encoded WIT package exports, for each world, a component type whose
        // one export is the world.
        let id = encode(resolve, package)
            .and_then(|bytes| {
                guard(|| Package::from_bytes(&name, None, bytes, &mut types))?.map_err(Into::into)
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
    guard(|| wit_component::encode(resolve, package))?.map_err(Into::into)
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
