//! A composition declared in a file: components by name, and how each is made.

mod build;
mod entry;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{self, Path, PathBuf};

use serde::Deserialize;

pub use build::{BuildError, BuildErrorKind, BuiltOutput};
use entry::{Entry, Recipe};

use crate::world_name::WorldName;

/// A composition declared in a file: components by name, and how each is made.
///
/// ```toml
/// [components]
/// http-adapter = { file = "http-adapter.wasm" }
/// cipher = { file = "cipher.wasm" }
/// environment = { env = { SHIFT_AMOUNT = "3" } }
///
/// [components.app]
/// link = "http-adapter"
/// with = ["cipher", "environment"]
/// world = "proxy"
/// output = "app.wasm"
/// ```
///
/// Every component is made in exactly one way: it is a `file`, an `env`, a `stub`, a
/// `link`, a `chain`, a `swap`, a `wac` or a `fuse`. The others mean components of the
/// same file by their names, and those are the names of the parts inside. What has
/// an `output` is written there; what has a `world` must fit it.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Every component, each after those that it is made of.
    components: Vec<(String, Declared)>,
}

/// A component, as a manifest declares it.
#[derive(Debug, Clone)]
struct Declared {
    recipe: Recipe,
    deny_imports: Vec<String>,
    world: Option<WorldName>,
    output: Option<String>,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The text is not TOML, or has a key or a value that no manifest has. Holds
    /// what is wrong, with the line.
    #[error("{0}")]
    Toml(String),
    /// A component is declared in no way, or in several.
    #[error("`components.{name}` has to say how it is made, in one of these ways: {WAYS}; {found}")]
    Ways {
        /// The component.
        name: String,
        /// What it says.
        found: String,
    },
    /// A key belongs to another way of making a component.
    #[error(
        "`components.{name}.{key}` has no meaning for a component that is made by `{way}`; take it out"
    )]
    Superfluous {
        /// The component.
        name: String,
        /// The key.
        key: &'static str,
        /// How it is made.
        way: &'static str,
    },
    /// A key is missing.
    #[error("`components.{name}` is made by `{way}` and needs the key `{key}`")]
    Missing {
        /// The component.
        name: String,
        /// The key.
        key: &'static str,
        /// How it is made.
        way: &'static str,
    },
    /// A name stands for no component.
    #[error("`components.{name}` names `{unknown}`, and there is no `components.{unknown}`; there are {}", known.join(", "))]
    Unknown {
        /// The component that names another.
        name: String,
        /// What it names.
        unknown: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Components are made of each other in a circle.
    #[error("these components are made of each other in a circle: {}", path.join(" -> "))]
    Cycle {
        /// The names along the circle; the last is the first.
        path: Vec<String>,
    },
    /// A component has no output and nothing is made of it.
    #[error(
        "nothing is made of `components.{name}`, and it has no `output`; use it, or take it out"
    )]
    Unused {
        /// The component.
        name: String,
    },
    /// An output is no file, or one that is read as well.
    #[error("`components.{name}.output` is `{output}`, which is {what}; name another file")]
    BadOutput {
        /// The component.
        name: String,
        /// The output.
        output: String,
        /// What it is instead.
        what: &'static str,
    },
    /// Two components have one output.
    #[error("`components.{first}` and `components.{second}` both have the output `{output}`")]
    EqualOutputs {
        /// One component.
        first: String,
        /// The other.
        second: String,
        /// The output.
        output: String,
    },
}

/// The ways to make a component.
const WAYS: &str = "`file`, `env`, `stub`, `link`, `chain`, `swap`, `wac`, `fuse`";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    components: BTreeMap<String, Entry>,
}

impl Manifest {
    /// Reads a manifest and checks that it makes sense by itself.
    ///
    /// # Errors
    ///
    /// Returns a [`ManifestError`] that names the component and the key, or the line.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let text: Text = toml::from_str(text)
            .map_err(|error| ManifestError::Toml(error.to_string().trim_end().to_owned()))?;
        let mut declared = BTreeMap::new();
        for (name, entry) in text.components {
            declared.insert(name.clone(), entry.declare(&name)?);
        }
        refuse_unknown_names(&declared)?;
        refuse_unused(&declared)?;
        refuse_bad_outputs(&declared)?;
        Ok(Self {
            components: sort(declared)?,
        })
    }

    /// Every file that the manifest names, sorted: components, WIT and `.wac`.
    #[must_use]
    pub fn files(&self) -> BTreeSet<&str> {
        let mut files = BTreeSet::new();
        for (_, declared) in &self.components {
            files.extend(declared.recipe.files());
            files.extend(declared.world.as_ref().and_then(WorldName::file));
        }
        files
    }
}

fn refuse_unknown_names(declared: &BTreeMap<String, Declared>) -> Result<(), ManifestError> {
    for (name, component) in declared {
        for unknown in component.recipe.names() {
            if !declared.contains_key(unknown) {
                return Err(ManifestError::Unknown {
                    name: name.clone(),
                    unknown: unknown.to_owned(),
                    known: declared.keys().map(|name| format!("`{name}`")).collect(),
                });
            }
        }
    }
    Ok(())
}

fn refuse_unused(declared: &BTreeMap<String, Declared>) -> Result<(), ManifestError> {
    let used: BTreeSet<&str> = declared
        .values()
        .flat_map(|component| component.recipe.names())
        .collect();
    let unused = declared
        .iter()
        .find(|(name, component)| component.output.is_none() && !used.contains(name.as_str()));
    match unused {
        Some((name, _)) => Err(ManifestError::Unused { name: name.clone() }),
        None => Ok(()),
    }
}

fn refuse_bad_outputs(declared: &BTreeMap<String, Declared>) -> Result<(), ManifestError> {
    let inputs: BTreeSet<PathBuf> = declared
        .values()
        .flat_map(|component| {
            let world = component.world.as_ref().and_then(WorldName::file);
            component.recipe.files().into_iter().chain(world)
        })
        .map(normal)
        .collect();
    let mut outputs: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for (name, component) in declared {
        let Some(output) = &component.output else {
            continue;
        };
        let path = normal(output);
        let what = if path.file_name().is_none() {
            Some("not the name of a file")
        } else if inputs.contains(&path) {
            Some("a file that something is made of")
        } else {
            None
        };
        if let Some(what) = what {
            return Err(ManifestError::BadOutput {
                name: name.clone(),
                output: output.clone(),
                what,
            });
        }
        if let Some(first) = outputs.insert(path, name) {
            return Err(ManifestError::EqualOutputs {
                first: first.to_owned(),
                second: name.clone(),
                output: output.clone(),
            });
        }
    }
    Ok(())
}

/// A path without the steps that lead nowhere, as far as its text tells.
fn normal(path: &str) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            path::Component::CurDir => {}
            path::Component::ParentDir if normal.file_name().is_some() => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// Puts each component after those that it is made of.
fn sort(declared: BTreeMap<String, Declared>) -> Result<Vec<(String, Declared)>, ManifestError> {
    let mut sorted: Vec<(String, Declared)> = Vec::new();
    let mut waiting = declared;
    while !waiting.is_empty() {
        let is_ready = |component: &Declared| {
            let mut names = component.recipe.names().into_iter();
            names.all(|name| !waiting.contains_key(name))
        };
        let ready: Vec<String> = waiting
            .iter()
            .filter(|(_, component)| is_ready(component))
            .map(|(name, _)| name.clone())
            .collect();
        if ready.is_empty() {
            return Err(ManifestError::Cycle {
                path: circle(&waiting),
            });
        }
        for name in ready {
            sorted.extend(waiting.remove_entry(&name));
        }
    }
    Ok(sorted)
}

/// A circle among components of which each waits for another.
fn circle(waiting: &BTreeMap<String, Declared>) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    let mut next = waiting.keys().next().cloned();
    while let Some(name) = next {
        if let Some(start) = path.iter().position(|visited| *visited == name) {
            path.drain(..start);
            path.push(name);
            break;
        }
        let names = waiting.get(&name).map(|component| component.recipe.names());
        next = names
            .into_iter()
            .flatten()
            .find(|name| waiting.contains_key(*name))
            .map(str::to_owned);
        path.push(name);
    }
    path
}
