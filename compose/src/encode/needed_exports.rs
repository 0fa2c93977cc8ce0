//! Exports that the types of other exports require.
//!
//! An exported function or instance may use only types with an external name: imported
//! ones, and ones that are exported before it. If a component of the plan provides the
//! interface that defines a type, the composition has to export that interface as well.

use std::collections::{BTreeMap, BTreeSet};

use wac_types::ItemKind;

use crate::model::component::Component;
use crate::model::composition::Export;
use crate::model::plan::{Components, Plan};
use crate::model::version_track;

/// The interfaces with types that components of the plan provide to the components whose
/// exports the plan exports, each after those that its provider imports.
pub(crate) fn candidates(plan: &Plan, components: &Components<'_>) -> Vec<Export> {
    let providers: BTreeSet<&str> = plan
        .exports
        .iter()
        .map(|export| &*export.provider)
        .collect();
    let mut candidates: Vec<Export> = Vec::new();
    for component in providers.iter().filter_map(|name| components.get(name)) {
        // Imports are ordered so that types precede their uses.
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

/// The exports of `plan`, each after those whose types it may use: after those of the
/// components that its own is wired to, and those of one component in binary order.
pub(crate) fn in_order<'p>(plan: &'p Plan, components: &Components<'_>) -> Vec<&'p Export> {
    let depths = depths(plan);
    let mut exports: Vec<&Export> = plan.exports.iter().collect();
    exports.sort_by_cached_key(|export| {
        let provider = export.provider.as_str();
        let component = components.get(provider);
        let position = component.and_then(|provider| {
            let mut names = provider.exports();
            names.position(|name| name == export.export)
        });
        let depth = depths.get(provider).copied().unwrap_or_default();
        (depth, provider, position, export.name.as_str())
    });
    exports
}

/// The longest path from each component to one without providers, in wires.
fn depths(plan: &Plan) -> BTreeMap<&str, usize> {
    let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
    // A checked plan is acyclic, so that this ends earlier.
    for _ in &plan.components {
        let mut is_changed = false;
        for wire in &plan.wires {
            let of_provider = depths.get(wire.provider.as_str()).copied();
            let depth = of_provider.unwrap_or_default() + 1;
            let of_importer = depths.entry(&wire.importer).or_default();
            if *of_importer < depth {
                *of_importer = depth;
                is_changed = true;
            }
        }
        if !is_changed {
            break;
        }
    }
    depths
}
