//! The types of unresolved imports, prepared for the encoder of `wac-graph`.
//!
//! The encoder identifies interfaces by the name inside their type. If that name differs
//! from the import name, the result is wrong:
//!
//! - Two imports of one component that share a type (such as `first` and `second` with the
//!   same functions) become a single import of `first`, which is passed for both.
//! - Imports of an interface in two versions are merged under the version that comes first,
//!   although the merged type may require the later one.
//!
//! Each unresolved import therefore gets a type of its own, named for the highest unresolved
//! version on its track.

use std::collections::HashSet;

use wac_types::{InterfaceId, ItemKind, Types, WorldId};

use crate::model::version_track::highest;

/// An import without a provider in the composition.
pub(crate) struct UnresolvedImport {
    /// The world of the importer.
    pub(crate) world: WorldId,
    /// The interface, as the importer names it.
    pub(crate) name: String,
}

/// Assigns each of `imports` a type with the correct name, and names the interfaces that
/// these types use, which the encoder imports as well.
pub(crate) fn assign_types(types: &mut Types, imports: &[UnresolvedImport]) {
    let mut interfaces: Vec<(InterfaceId, String)> = Vec::new();
    let mut taken: HashSet<InterfaceId> = HashSet::new();
    for UnresolvedImport { world, name } in imports {
        let Some(ItemKind::Instance(shared)) = types[*world].imports.get(name).copied() else {
            continue;
        };
        let id = if taken.contains(&shared) {
            let copy = types[shared].clone();
            let copy = types.add_interface(copy);
            let kind = ItemKind::Instance(copy);
            types[*world].imports.insert(name.clone(), kind);
            copy
        } else {
            shared
        };
        taken.insert(id);
        // A plain name does not name an interface.
        if name.contains(':') {
            interfaces.push((id, name.clone()));
        } else {
            types[id].id = None;
        }
    }
    interfaces.extend(used_interfaces(types, taken));

    let names: Vec<String> = interfaces.iter().map(|(_, name)| name.clone()).collect();
    for (id, name) in interfaces {
        let highest = highest(&name, names.iter().map(String::as_str));
        types[id].id = Some(highest.to_owned());
    }
}

/// The interfaces that those in `seen` use, directly or indirectly, with their names.
fn used_interfaces(types: &Types, mut seen: HashSet<InterfaceId>) -> Vec<(InterfaceId, String)> {
    let mut next: Vec<InterfaceId> = seen.iter().copied().collect();
    let mut used_interfaces = Vec::new();
    while let Some(id) = next.pop() {
        for used in types[id].uses.values() {
            if !seen.insert(used.interface) {
                continue;
            }
            next.push(used.interface);
            if let Some(name) = &types[used.interface].id {
                used_interfaces.push((used.interface, name.clone()));
            }
        }
    }
    used_interfaces
}
