//! Manifests: compositions declared in a file, as named components with one recipe each.
//!
//! - `entry`: one component, first as TOML keys, then as a recipe
//! - `importers`: the components that import a declared environment
//! - `build`: the execution of the recipes

mod build;
mod entry;
mod importers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{self, Path, PathBuf};

use serde::Deserialize;

pub use build::{BuildError, BuildErrorKind, BuiltOutput};
use entry::{Entry, Recipe};
use importers::add_importers;

use crate::check::dependency_cycle::{cycle_message, find_cycle};
use crate::wit::world_name::WorldName;

/// A manifest: named components, each with a recipe.
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
/// Every component has exactly one recipe: `file`, `env`, `stub`, `link`, `chain`, `swap`,
/// `wac` or `fuse`. Recipes refer to components of the same manifest by name, and the parts
/// of the result have these names. An `env` exports the environment of WASI 0.2, of 0.3 or of
/// both, as the files import it that are composed with it. A component with an `output` is written there; one with a
/// `world` must be compatible with it.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// All components, each after the components that its recipe refers to.
    components: Vec<(String, Declared)>,
}

/// One declared component.
#[derive(Debug, Clone)]
struct Declared {
    recipe: Recipe,
    deny_imports: Vec<String>,
    world: Option<WorldName>,
    output: Option<String>,
}

/// Why a manifest is invalid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The text is not TOML, or has an unknown key or an invalid value. Holds the message
    /// with the line.
    #[error("{0}")]
    Toml(String),
    /// A component has no recipe, or several.
    #[error("`components.{name}` must have exactly one of the keys {RECIPES}; {found}")]
    Recipes {
        /// The component.
        name: String,
        /// The keys that it has.
        found: String,
    },
    /// A key belongs to another recipe.
    #[error("`components.{name}.{key}` does not apply to the recipe `{recipe}`; remove it")]
    Superfluous {
        /// The component.
        name: String,
        /// The key.
        key: &'static str,
        /// The key of the recipe.
        recipe: &'static str,
    },
    /// A recipe lacks a required key.
    #[error("`components.{name}` lacks the key `{key}`, which the recipe `{recipe}` requires")]
    Missing {
        /// The component.
        name: String,
        /// The key.
        key: &'static str,
        /// The key of the recipe.
        recipe: &'static str,
    },
    /// A recipe refers to an undeclared component.
    #[error("`components.{name}` refers to the unknown component `{unknown}`; known components: {}", known.join(", "))]
    Unknown {
        /// The component with the reference.
        name: String,
        /// The unknown name.
        unknown: String,
        /// The declared components.
        known: Vec<String>,
    },
    /// Components depend on each other in a cycle.
    #[error("{}", cycle_message(path))]
    Cycle {
        /// The names along the cycle; the last is the first.
        path: Vec<String>,
    },
    /// A component has no output, and no recipe refers to it.
    #[error("`components.{name}` is unused and has no `output`; use it, or remove it")]
    Unused {
        /// The component.
        name: String,
    },
    /// An output is not a file, or is an input as well.
    #[error("`components.{name}.output` is `{output}`, which is {what}; name another file")]
    BadOutput {
        /// The component.
        name: String,
        /// The output.
        output: String,
        /// What the path refers to instead.
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

/// The keys of the recipes.
const RECIPES: &str = "`file`, `env`, `stub`, `link`, `chain`, `swap`, `wac`, `fuse`";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    components: BTreeMap<String, Entry>,
}

impl Manifest {
    /// Parses a manifest and checks its consistency.
    ///
    /// # Errors
    ///
    /// Returns a [`ManifestError`] with component and key, or with the line.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let text: Text = toml::from_str(text)
            .map_err(|error| ManifestError::Toml(error.to_string().trim_end().to_owned()))?;
        let mut declared = BTreeMap::new();
        for (name, entry) in text.components {
            declared.insert(name.clone(), entry.declare(&name)?);
        }
        reject_unknown_names(&declared)?;
        reject_unused(&declared)?;
        reject_invalid_outputs(&declared)?;
        add_importers(&mut declared);
        Ok(Self {
            components: sort(declared)?,
        })
    }

    /// All input files of the manifest, sorted: components, WIT and `.wac`.
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

fn reject_unknown_names(declared: &BTreeMap<String, Declared>) -> Result<(), ManifestError> {
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

fn reject_unused(declared: &BTreeMap<String, Declared>) -> Result<(), ManifestError> {
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

fn reject_invalid_outputs(declared: &BTreeMap<String, Declared>) -> Result<(), ManifestError> {
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
            Some("not a file name")
        } else if inputs.contains(&path) {
            Some("an input of the manifest")
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

/// A path without `.` and `..` components, as far as it can be normalized lexically.
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

/// Sorts each component after those that its recipe refers to.
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
            let edges = waiting.iter().flat_map(|(name, component)| {
                let names = component.recipe.names().into_iter();
                names.map(move |dependency| (name.as_str(), dependency))
            });
            let cycle = find_cycle(edges).unwrap_or_default();
            return Err(ManifestError::Cycle {
                path: cycle.into_iter().map(str::to_owned).collect(),
            });
        }
        for name in ready {
            sorted.extend(waiting.remove_entry(&name));
        }
    }
    Ok(sorted)
}
