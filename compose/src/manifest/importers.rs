//! The components that import a declared environment, whose releases of WASI decide what it
//! exports.

use std::collections::{BTreeMap, BTreeSet};

use super::Declared;
use super::entry::Recipe;

/// Adds to each `env` recipe the files that are composed with it, directly or as parts of other
/// components. Files are ready before the environment is, which a composed component need not be.
pub(super) fn add_importers(declared: &mut BTreeMap<String, Declared>) {
    let mut found = BTreeMap::new();
    for (name, component) in &*declared {
        if matches!(component.recipe, Recipe::Env { .. }) {
            found.insert(name.clone(), files_with(name, declared));
        }
    }
    for (name, component) in declared {
        if let (Recipe::Env { importers, .. }, Some(files)) =
            (&mut component.recipe, found.remove(name))
        {
            *importers = files;
        }
    }
}

/// The `file` components that are composed with the component `name`, sorted.
fn files_with(name: &str, declared: &BTreeMap<String, Declared>) -> Vec<String> {
    let users = declared
        .values()
        .map(|component| component.recipe.names())
        .filter(|names| names.contains(&name));
    let mut next: Vec<&str> = users.flatten().collect();
    let mut visited = BTreeSet::new();
    let mut files = BTreeSet::new();
    while let Some(name) = next.pop() {
        let Some(component) = declared.get(name).filter(|_| visited.insert(name)) else {
            continue;
        };
        match &component.recipe {
            Recipe::File { .. } => {
                files.insert(name.to_owned());
            }
            recipe => next.extend(recipe.names()),
        }
    }
    files.into_iter().collect()
}
