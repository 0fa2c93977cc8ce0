//! Exports that the types of other exports need.
//!
//! An exported function or instance may only speak of types that have a name outside:
//! one that is imported, or one that was exported before. Where a part provides the
//! interface that names a type, the composition has to export that interface, too.

use std::collections::{BTreeMap, BTreeSet};

use wac_types::ItemKind;

use crate::component::Component;
use crate::diagnose::Components;
use crate::plan::Plan;
use crate::structure::Export;
use crate::version_track;

/// The interfaces with types that parts provide to those components of which `plan`
/// exports something, each after those that its provider imports.
pub(crate) fn candidates(plan: &Plan, components: &Components<'_>) -> Vec<Export> {
    let providers: BTreeSet<&str> = plan
        .exports
        .iter()
        .map(|export| &*export.provider)
        .collect();
    let mut candidates: Vec<Export> = Vec::new();
    for component in providers.iter().filter_map(|name| components.get(name)) {
        // The order of imports is one in which types come before their use.
        for import in component
            .imports()
            .filter(|import| names_types(component, import))
        {
            let mut wires = plan.wires.iter();
            let wire =
                wires.find(|wire| wire.importer == component.name() && wire.import == import);
            let Some(wire) = wire else {
                continue;
            };
            let exported = plan.exports.iter().chain(&candidates);
            let mut names = exported.map(|export| export.name.as_str());
            if names.any(|name| version_track::same_track(name, &wire.export)) {
                continue;
            }
            candidates.push(Export {
                name: wire.export.clone(),
                provider: wire.provider.clone(),
                export: wire.export.clone(),
            });
        }
    }
    candidates
}

fn names_types(component: &Component, import: &str) -> bool {
    let Some(ItemKind::Instance(id)) = component.world().imports.get(import) else {
        return false;
    };
    let mut items = component.types()[*id].exports.values();
    items.any(|kind| matches!(kind, ItemKind::Type(_)))
}

/// The exports of `plan` in an order in which each comes after those of which it may
/// use types: after those of the components that its own is wired to, and those of one
/// component in the order of the component.
pub(crate) fn in_order<'p>(plan: &'p Plan, components: &Components<'_>) -> Vec<&'p Export> {
    let distances = distances(plan);
    let mut exports: Vec<&Export> = plan.exports.iter().collect();
    exports.sort_by_cached_key(|export| {
        let provider = export.provider.as_str();
        let component = components.get(provider);
        let position = component.and_then(|provider| {
            let mut names = provider.exports();
            names.position(|name| name == export.export)
        });
        let distance = distances.get(provider).copied().unwrap_or_default();
        (distance, provider, position, export.name.as_str())
    });
    exports
}

/// How many wires it is at most from each component to one that is wired to none.
fn distances(plan: &Plan) -> BTreeMap<&str, usize> {
    let mut distances: BTreeMap<&str, usize> = BTreeMap::new();
    // A plan that was checked has no circle, so that this ends earlier.
    for _ in &plan.components {
        let mut is_changed = false;
        for wire in &plan.wires {
            let of_provider = distances.get(wire.provider.as_str()).copied();
            let distance = of_provider.unwrap_or_default() + 1;
            let of_importer = distances.entry(&wire.importer).or_default();
            if *of_importer < distance {
                *of_importer = distance;
                is_changed = true;
            }
        }
        if !is_changed {
            break;
        }
    }
    distances
}
