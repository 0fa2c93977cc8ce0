//! The interfaces that names refer to, with or without a version.

use std::collections::BTreeSet;

use wit_parser::{InterfaceId, Resolve, WorldItem};

use super::{StubError, StubSource};

/// The full names of the interfaces that `names` refer to, deduplicated and sorted.
pub(super) fn resolve(
    names: &[String],
    resolve: &Resolve,
    source: StubSource<'_>,
) -> Result<Vec<String>, StubError> {
    let defined = defined(resolve, source);
    let mut found = BTreeSet::new();
    for name in names {
        found.insert(find(name, &defined)?);
    }
    if found.is_empty() {
        return Err(StubError::NoInterface);
    }
    let between = between(&found, resolve);
    if !between.is_empty() {
        return Err(StubError::Between {
            interfaces: between,
        });
    }
    Ok(found.into_iter().collect())
}

/// The interfaces that a stubbed one uses and that use a stubbed one: if the stub imported
/// them, they would use the types of another provider's interface.
fn between(stubbed: &BTreeSet<String>, resolve: &Resolve) -> Vec<String> {
    let is_stubbed = |id: InterfaceId| {
        resolve
            .id_of(id)
            .is_some_and(|name| stubbed.contains(&name))
    };
    let ids = resolve.interfaces.iter().map(|(id, _)| id);
    let used: BTreeSet<InterfaceId> = ids
        .filter(|id| is_stubbed(*id))
        .flat_map(|id| uses(id, resolve))
        .filter(|id| !is_stubbed(*id))
        .collect();
    let mut between: Vec<String> = used
        .into_iter()
        .filter(|id| uses(*id, resolve).into_iter().any(is_stubbed))
        .filter_map(|id| resolve.id_of(id))
        .collect();
    between.sort();
    between
}

/// The interfaces that `interface` uses, directly or indirectly.
fn uses(interface: InterfaceId, resolve: &Resolve) -> BTreeSet<InterfaceId> {
    let mut used = BTreeSet::new();
    let mut pending = vec![interface];
    while let Some(user) = pending.pop() {
        for id in resolve.interface_direct_deps(user) {
            if used.insert(id) {
                pending.push(id);
            }
        }
    }
    used
}

/// Every interface with a full name, sorted; of a component, its imports.
fn defined(resolve: &Resolve, source: StubSource<'_>) -> Vec<String> {
    let ids: Vec<_> = match source {
        StubSource::Wit(_) => resolve.interfaces.iter().map(|(id, _)| id).collect(),
        // A decoded component has only its world.
        StubSource::ImportsOf(_) => resolve
            .worlds
            .iter()
            .flat_map(|(_, world)| world.imports.values())
            .filter_map(|item| match item {
                WorldItem::Interface { id, .. } => Some(*id),
                _ => None,
            })
            .collect(),
    };
    let mut names: Vec<String> = ids.into_iter().filter_map(|id| resolve.id_of(id)).collect();
    names.sort();
    names.dedup();
    names
}

fn find(name: &str, defined: &[String]) -> Result<String, StubError> {
    if defined.iter().any(|other| other == name) {
        return Ok(name.to_owned());
    }
    let versions: Vec<String> = defined
        .iter()
        .filter(|other| unversioned(other) == name)
        .cloned()
        .collect();
    match versions.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(StubError::Unknown {
            name: name.to_owned(),
            candidates: similar(name, defined),
        }),
        _ => Err(StubError::Ambiguous {
            name: name.to_owned(),
            candidates: versions,
        }),
    }
}

/// The closest interfaces: the same one in other versions, or else those of that name in
/// any package, or else those of the package, or else all.
fn similar(name: &str, defined: &[String]) -> Vec<String> {
    let path = unversioned(name);
    let (package, interface) = path.split_once('/').unwrap_or((path, path));
    let choose = |is_similar: &dyn Fn(&str, &str) -> bool| -> Vec<String> {
        let similar = defined.iter().filter(|other| {
            let path = unversioned(other);
            let (package, interface) = path.split_once('/').unwrap_or((path, ""));
            is_similar(package, interface)
        });
        similar.cloned().collect()
    };
    [
        choose(&|other, i| other == package && i == interface),
        choose(&|_, i| i == interface),
        choose(&|other, _| other == package),
    ]
    .into_iter()
    .find(|names| !names.is_empty())
    .unwrap_or_else(|| defined.to_vec())
}

fn unversioned(name: &str) -> &str {
    name.split_once('@').map_or(name, |(path, _)| path)
}
