//! Worlds of hosts, to check components against.

use std::error::Error;

use wac_types::{ItemKind, Package, Type, Types};

use crate::guard::guard;
use crate::wit::{WitError, parse_with_wasi};

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
    /// The WIT text was not understood.
    #[error(transparent)]
    Wit(#[from] WitError),
    /// The package has no such world.
    #[error("there is no world `{name}`")]
    Missing {
        /// The name of the world.
        name: String,
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

impl World {
    /// The world `wasi:http/proxy` of WASI 0.2.12: what every HTTP host offers.
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the WIT text that the library was built with
    /// cannot be parsed.
    pub fn wasi_http_proxy() -> Result<Self, WorldError> {
        Self::parse(
            "wasi:http/proxy",
            "proxy.wit",
            "package compose:host; world host { include wasi:http/proxy@0.2.12; }",
            "host",
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

    fn parse(name: &str, file: &str, text: &str, world: &str) -> Result<Self, WorldError> {
        let convert = |source: Box<dyn Error + Send + Sync>| WorldError::Convert {
            name: name.to_owned(),
            source,
        };
        let (resolve, package) = parse_with_wasi(file, text)?;
        let bytes =
            wit_component::encode(&resolve, package).map_err(|error| convert(error.into()))?;
        let mut types = Types::default();
        let package = guard(|| Package::from_bytes(name, None, bytes, &mut types))
            .map_err(|error| convert(error.into()))?
            .map_err(|error| convert(error.into()))?;

        // An encoded WIT package exports, for each world, a component type whose
        // one export is the world.
        let definition = types[package.ty()].exports.get(world);
        let id = match definition {
            Some(ItemKind::Type(Type::World(wrapper))) => {
                match types[*wrapper].exports.values().next() {
                    Some(ItemKind::Component(id)) => Some(*id),
                    _ => None,
                }
            }
            _ => None,
        };
        let id = id.ok_or_else(|| WorldError::Missing {
            name: name.to_owned(),
        })?;
        Ok(Self {
            name: name.to_owned(),
            types,
            id,
        })
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
