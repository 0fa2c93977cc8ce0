//! One component of a manifest: first as TOML keys, then as a recipe.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Declared, ManifestError};
use crate::wit::world_name::WorldName;

/// Every key that a component may have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Entry {
    file: Option<String>,
    env: Option<BTreeMap<String, String>>,
    stub: Option<Vec<String>>,
    link: Option<String>,
    chain: Option<Vec<String>>,
    swap: Option<String>,
    wac: Option<String>,
    fuse: Option<String>,

    #[serde(rename = "for")]
    imports_of: Option<String>,
    wit: Option<Vec<String>>,
    with: Option<Vec<String>>,
    prefer: Option<BTreeMap<String, String>>,
    on: Option<String>,
    around: Option<String>,
    also_export: Option<Vec<String>>,
    replace: Option<BTreeMap<String, String>>,

    #[serde(default)]
    deny_imports: Vec<String>,
    world: Option<WorldName>,
    output: Option<String>,
}

/// The recipe of a component.
#[derive(Debug, Clone)]
pub(super) enum Recipe {
    File {
        path: String,
    },
    Env {
        variables: BTreeMap<String, String>,
        /// The files that are composed with it.
        importers: Vec<String>,
    },
    Stub {
        interfaces: Vec<String>,
        imports_of: Option<String>,
        wit: Vec<String>,
    },
    Link {
        root: String,
        with: Vec<String>,
        prefer: BTreeMap<String, String>,
    },
    Chain {
        middlewares: Vec<String>,
        on: String,
        around: String,
        also_export: Vec<String>,
        with: Vec<String>,
        prefer: BTreeMap<String, String>,
    },
    Swap {
        app: String,
        replace: BTreeMap<String, String>,
    },
    Wac {
        path: String,
        with: Vec<String>,
        wit: Vec<String>,
    },
    Fuse {
        component: String,
    },
}

impl Recipe {
    /// The components that the recipe refers to.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::File { .. } => Vec::new(),
            Self::Env { importers, .. } => strings(importers),
            Self::Stub { imports_of, .. } => imports_of.iter().map(String::as_str).collect(),
            Self::Link { root, with, .. } => [vec![root.as_str()], strings(with)].concat(),
            Self::Chain {
                middlewares,
                around,
                with,
                ..
            } => [strings(middlewares), vec![around.as_str()], strings(with)].concat(),
            Self::Swap { app, replace } => {
                let replacements = replace.values().map(String::as_str);
                replacements.chain([app.as_str()]).collect()
            }
            Self::Wac { with, .. } => strings(with),
            Self::Fuse { component } => vec![component],
        }
    }

    /// The input files of the recipe.
    pub(super) fn files(&self) -> Vec<&str> {
        match self {
            Self::File { path } => vec![path],
            Self::Wac { path, wit, .. } => [vec![path.as_str()], strings(wit)].concat(),
            Self::Stub { wit, .. } => wit.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

impl Entry {
    /// Converts the keys to one recipe.
    pub(super) fn declare(mut self, name: &str) -> Result<Declared, ManifestError> {
        let key = self.recipe_key(name)?;
        let recipe = self.recipe(name, key)?;
        self.reject_leftovers(name, key)?;
        Ok(Declared {
            recipe,
            deny_imports: self.deny_imports,
            world: self.world,
            output: self.output,
        })
    }

    fn recipe_key(&self, name: &str) -> Result<&'static str, ManifestError> {
        let recipes = [
            ("file", self.file.is_some()),
            ("env", self.env.is_some()),
            ("stub", self.stub.is_some()),
            ("link", self.link.is_some()),
            ("chain", self.chain.is_some()),
            ("swap", self.swap.is_some()),
            ("wac", self.wac.is_some()),
            ("fuse", self.fuse.is_some()),
        ];
        let present: Vec<&'static str> = recipes
            .into_iter()
            .filter_map(|(key, is_present)| is_present.then_some(key))
            .collect();
        match present.as_slice() {
            [key] => Ok(key),
            [] => Err(ManifestError::Recipes {
                name: name.to_owned(),
                found: "it has none".to_owned(),
            }),
            several => {
                let several: Vec<String> = several.iter().map(|key| format!("`{key}`")).collect();
                Err(ManifestError::Recipes {
                    name: name.to_owned(),
                    found: format!("it has {}", several.join(" and ")),
                })
            }
        }
    }

    fn recipe(&mut self, name: &str, recipe: &'static str) -> Result<Recipe, ManifestError> {
        let missing = |key| ManifestError::Missing {
            name: name.to_owned(),
            key,
            recipe,
        };
        // The key of the recipe itself is present; the error is for the other keys.
        Ok(match recipe {
            "file" => Recipe::File {
                path: self.file.take().ok_or_else(|| missing(recipe))?,
            },
            "env" => Recipe::Env {
                variables: self.env.take().ok_or_else(|| missing(recipe))?,
                importers: Vec::new(),
            },
            "stub" => Recipe::Stub {
                interfaces: self.stub.take().ok_or_else(|| missing(recipe))?,
                imports_of: self.imports_of.take(),
                wit: self.wit.take().unwrap_or_default(),
            },
            "link" => Recipe::Link {
                root: self.link.take().ok_or_else(|| missing(recipe))?,
                with: self.with.take().unwrap_or_default(),
                prefer: self.prefer.take().unwrap_or_default(),
            },
            "chain" => Recipe::Chain {
                middlewares: self.chain.take().ok_or_else(|| missing(recipe))?,
                on: self.on.take().ok_or_else(|| missing("on"))?,
                around: self.around.take().ok_or_else(|| missing("around"))?,
                also_export: self.also_export.take().unwrap_or_default(),
                with: self.with.take().unwrap_or_default(),
                prefer: self.prefer.take().unwrap_or_default(),
            },
            "swap" => Recipe::Swap {
                app: self.swap.take().ok_or_else(|| missing(recipe))?,
                replace: self.replace.take().ok_or_else(|| missing("replace"))?,
            },
            "wac" => Recipe::Wac {
                path: self.wac.take().ok_or_else(|| missing(recipe))?,
                with: self.with.take().unwrap_or_default(),
                wit: self.wit.take().unwrap_or_default(),
            },
            _ => Recipe::Fuse {
                component: self.fuse.take().ok_or_else(|| missing(recipe))?,
            },
        })
    }

    /// Rejects keys that the recipe did not take: they belong to another one.
    fn reject_leftovers(&self, name: &str, recipe: &'static str) -> Result<(), ManifestError> {
        let leftovers = [
            ("for", self.imports_of.is_some()),
            ("wit", self.wit.is_some()),
            ("with", self.with.is_some()),
            ("prefer", self.prefer.is_some()),
            ("on", self.on.is_some()),
            ("around", self.around.is_some()),
            ("also-export", self.also_export.is_some()),
            ("replace", self.replace.is_some()),
        ];
        match leftovers.into_iter().find(|(_, is_left)| *is_left) {
            Some((key, _)) => Err(ManifestError::Superfluous {
                name: name.to_owned(),
                key,
                recipe,
            }),
            None => Ok(()),
        }
    }
}

fn strings(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}
