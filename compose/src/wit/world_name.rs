//! The names of worlds on command lines and in manifests.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;

use super::world::{World, WorldError};

/// A world as a command line or a manifest names it: `proxy`, `command`, `service`, `middleware`,
/// a world of WASI such as `wasi:cli/command@0.3.0`, or `PATH#world`, where PATH is a WIT file or,
/// on a command line, a folder. A world of a dependency of that WIT is named with its package:
/// `PATH#wasi:http/service`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum WorldName {
    /// `wasi:http/proxy` of WASI 0.2.12.
    Proxy,
    /// `wasi:cli/command` of WASI 0.2.12.
    Command,
    /// `wasi:http/service` of WASI 0.3.0.
    Service,
    /// `wasi:http/middleware` of WASI 0.3.0.
    Middleware,
    /// A world of WASI by its full name, as for [`World::from_wasi`].
    Wasi(String),
    /// A world of a WIT file.
    Wit {
        /// The path of the file.
        file: String,
        /// The name of the world, as for [`World::from_wit`]; `None` for the only world of the
        /// file.
        world: Option<String>,
    },
}

/// A text that is not the name of a world.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown world `{0}`; expected `proxy`, `command`, `service`, `middleware`, a world of WASI such \
     as `wasi:cli/command@0.3.0`, or `PATH#world`, where PATH is a WIT file or folder"
)]
pub struct UnknownWorld(String);

/// The built-in worlds by their names.
static BUILT_IN: [(&str, WorldName); 4] = [
    ("proxy", WorldName::Proxy),
    ("command", WorldName::Command),
    ("service", WorldName::Service),
    ("middleware", WorldName::Middleware),
];

impl WorldName {
    /// The WIT file that defines the world, if one does.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Wit { file, .. } => Some(file),
            Self::Proxy | Self::Command | Self::Service | Self::Middleware | Self::Wasi(_) => None,
        }
    }

    /// The world itself. `texts` are that WIT file and the files that it uses, as for
    /// [`World::from_wit`].
    ///
    /// # Errors
    ///
    /// Returns a [`WorldError`] if the texts are not valid WIT or lack the world.
    pub fn find(&self, texts: &[(String, String)]) -> Result<World, WorldError> {
        match self {
            Self::Proxy => World::wasi_http_proxy(),
            Self::Command => World::wasi_cli_command(),
            Self::Service => World::wasi_http_service(),
            Self::Middleware => World::wasi_http_middleware(),
            Self::Wasi(name) => World::from_wasi(name),
            Self::Wit { world, .. } => World::from_wit(texts, world.as_deref()),
        }
    }
}

impl FromStr for WorldName {
    type Err = UnknownWorld;

    fn from_str(text: &str) -> Result<Self, UnknownWorld> {
        if let Some((_, world)) = BUILT_IN.iter().find(|(name, _)| *name == text) {
            return Ok(world.clone());
        }
        match text.split_once('#') {
            Some((file, world)) if !file.is_empty() => Ok(Self::Wit {
                file: file.to_owned(),
                world: Some(world.to_owned()).filter(|world| !world.is_empty()),
            }),
            None if is_wit(text) => Ok(Self::Wit {
                file: text.to_owned(),
                world: None,
            }),
            None if is_of_wasi(text) => Ok(Self::Wasi(text.to_owned())),
            _ => Err(UnknownWorld(text.to_owned())),
        }
    }
}

fn is_wit(file: &str) -> bool {
    Path::new(file)
        .extension()
        .is_some_and(|extension| extension == "wit")
}

/// Whether this is a full name in WASI, such as `wasi:cli/command@0.3.0`.
fn is_of_wasi(text: &str) -> bool {
    text.starts_with("wasi:") && text.contains('/')
}

impl TryFrom<String> for WorldName {
    type Error = UnknownWorld;

    fn try_from(text: String) -> Result<Self, UnknownWorld> {
        text.parse()
    }
}

impl fmt::Display for WorldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wit { file, world } => {
                return write!(f, "{file}#{}", world.as_deref().unwrap_or_default());
            }
            Self::Wasi(name) => return f.write_str(name),
            Self::Proxy | Self::Command | Self::Service | Self::Middleware => {}
        }
        let name = BUILT_IN.iter().find(|(_, world)| world == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_of_a_wit_file_is_optional() {
        let wit = |world: Option<&str>| {
            Ok(WorldName::Wit {
                file: "wit/app.wit".to_owned(),
                world: world.map(str::to_owned),
            })
        };
        assert_eq!("wit/app.wit#app".parse(), wit(Some("app")));
        assert_eq!("wit/app.wit".parse(), wit(None));
    }

    #[test]
    fn a_built_in_world_has_the_name_that_it_is_displayed_with() {
        for (name, world) in &BUILT_IN {
            assert_eq!(name.parse().as_ref(), Ok(world));
            assert_eq!(world.to_string(), *name);
        }
    }

    #[test]
    fn a_world_of_wasi_is_named_in_full() {
        let name: WorldName = "wasi:cli/command@0.3.0".parse().expect("a name");
        assert_eq!(name, WorldName::Wasi("wasi:cli/command@0.3.0".to_owned()));
        assert_eq!(name.to_string(), "wasi:cli/command@0.3.0");
        let file: WorldName = "wasi:cli/command.wit".parse().expect("a name");
        assert_eq!(file.file(), Some("wasi:cli/command.wit"));
    }

    #[test]
    fn unknown_world_names_are_rejected() {
        for text in ["moon", "", "#app", "wasi:cli", "t:app/app"] {
            let error = text.parse::<WorldName>().expect_err("no world");
            assert!(error.to_string().contains(&format!("`{text}`")));
        }
    }
}
