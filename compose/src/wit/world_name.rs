//! The names of worlds on command lines and in manifests.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;

use super::world::{World, WorldError};

/// A world as a command line or a manifest names it: `proxy`, `command`, or `PATH#world`,
/// where PATH is a WIT file or, on a command line, a folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum WorldName {
    /// `wasi:http/proxy` of WASI 0.2.12.
    Proxy,
    /// `wasi:cli/command` of WASI 0.2.12.
    Command,
    /// A world of a WIT file.
    Wit {
        /// The path of the file.
        file: String,
        /// The name of the world; `None` for the only world of the file.
        world: Option<String>,
    },
}

/// A text that is not the name of a world.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown world `{0}`; expected `proxy`, `command` or `PATH#world`, where PATH is a WIT file or folder"
)]
pub struct UnknownWorld(String);

impl WorldName {
    /// The WIT file that defines the world, if one does.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Wit { file, .. } => Some(file),
            Self::Proxy | Self::Command => None,
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
            Self::Wit { world, .. } => World::from_wit(texts, world.as_deref()),
        }
    }
}

impl FromStr for WorldName {
    type Err = UnknownWorld;

    fn from_str(text: &str) -> Result<Self, UnknownWorld> {
        match (text, text.split_once('#')) {
            ("proxy", _) => Ok(Self::Proxy),
            ("command", _) => Ok(Self::Command),
            (_, Some((file, world))) if !file.is_empty() => Ok(Self::Wit {
                file: file.to_owned(),
                world: Some(world.to_owned()).filter(|world| !world.is_empty()),
            }),
            (file, None) if is_wit(file) => Ok(Self::Wit {
                file: file.to_owned(),
                world: None,
            }),
            _ => Err(UnknownWorld(text.to_owned())),
        }
    }
}

fn is_wit(file: &str) -> bool {
    Path::new(file)
        .extension()
        .is_some_and(|extension| extension == "wit")
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
            Self::Proxy => f.write_str("proxy"),
            Self::Command => f.write_str("command"),
            Self::Wit { file, world } => {
                write!(f, "{file}#{}", world.as_deref().unwrap_or_default())
            }
        }
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
        assert_eq!("proxy".parse(), Ok(WorldName::Proxy));
    }

    #[test]
    fn unknown_world_names_are_rejected() {
        for text in ["moon", "", "#app"] {
            let error = text.parse::<WorldName>().expect_err("no world");
            assert!(error.to_string().contains(&format!("`{text}`")));
        }
    }
}
