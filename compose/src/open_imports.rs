//! Prepares the imports that stay open for the encoder of `wac-graph`.
//!
//! The encoder tells interfaces apart by the name inside their type, and two
//! things go wrong when that name is not exactly the one that is to be imported:
//!
//! - Two imports of one component that share one type (`first` and `second`, say,
//!   with the same functions) become a single import of the first, and the
//!   component gets `first` where it asked for `second`.
//! - Imports of an interface in two versions are merged, but under whichever
//!   version is met first, though the merged type may need the later one.
//!
//! So each open import gets a type of its own, named for the highest version on
//! its track that stays open.

use std::collections::HashSet;

use wac_types::{InterfaceId, ItemKind, Types, WorldId};

use crate::version_track::highest;

/// An import that nobody provides.
pub(crate) struct OpenImport {
    /// The world of the component that imports.
    pub(crate) world: WorldId,
    /// The interface, as the component imports it.
    pub(crate) name: String,
}

/// Gives each of `imports` a type with the right name, and so all that their types
/// use of other interfaces: the encoder imports those as well.
pub(crate) fn name_types(types: &mut Types, imports: &[OpenImport]) {
    let mut interfaces: Vec<(InterfaceId, String)> = Vec::new();
    let mut taken: HashSet<InterfaceId> = HashSet::new();
    for OpenImport { world, name } in imports {
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
        // A plain label is not the name of an interface.
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

/// The interfaces that those in `seen` use, directly or not, with their names.
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
