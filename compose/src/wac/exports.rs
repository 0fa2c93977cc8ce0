//! The order of exports.

use std::collections::HashMap;

use wac_graph::{CompositionGraph, NodeId, NodeKind};
use wac_types::ItemKind;

use super::WacError;
use super::source::Source;

/// Sorts the exports of `graph`, for any order of the text, so that each comes after
/// those whose types it may use: after those of the providers of its instance, and those of
/// one instance in the order of its component.
pub(super) fn sort(source: &Source<'_>, graph: &mut CompositionGraph) -> Result<(), WacError> {
    let depths = depths(graph);
    let mut exports: Vec<(SortKey, NodeId)> = graph
        .node_ids()
        .filter(|id| !matches!(graph[*id].kind(), NodeKind::Definition))
        .filter_map(|id| Some((SortKey::of(id, graph, &depths)?, id)))
        .collect();
    exports.sort();
    let rejected = |error: Box<dyn std::error::Error + Send + Sync>| WacError::Wac {
        file: source.file.to_owned(),
        source: error,
    };
    for (_, id) in &exports {
        graph
            .unexport(*id)
            .map_err(|error| rejected(error.into()))?;
    }
    for (key, id) in exports {
        graph
            .export(id, key.name)
            .map_err(|error| rejected(error.into()))?;
    }
    Ok(())
}

/// The sort key of an export.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct SortKey {
    depth: usize,
    instance: Option<String>,
    position: Option<usize>,
    name: String,
}

impl SortKey {
    /// The key of `id`, if it is exported.
    fn of(id: NodeId, graph: &CompositionGraph, depths: &HashMap<NodeId, usize>) -> Option<Self> {
        let name = graph[id].export_name()?.to_owned();
        let instance = instantiation(id, graph);
        let position = graph.get_alias_source(id).and_then(|(source, export)| {
            let ItemKind::Instance(interface) = graph[source].item_kind() else {
                return None;
            };
            graph.types()[interface].exports.get_index_of(export)
        });
        Some(Self {
            depth: instance
                .and_then(|id| depths.get(&id).copied())
                .unwrap_or_default(),
            instance: instance.and_then(|id| graph[id].name().map(ToOwned::to_owned)),
            position,
            name,
        })
    }
}

/// The longest path from each instance to one without providers.
fn depths(graph: &CompositionGraph) -> HashMap<NodeId, usize> {
    let instances: Vec<NodeId> = graph
        .node_ids()
        .filter(|id| matches!(graph[*id].kind(), NodeKind::Instantiation(_)))
        .collect();
    let mut depths: HashMap<NodeId, usize> = HashMap::new();
    // Without a cycle, this ends earlier.
    for _ in &instances {
        let mut is_changed = false;
        for &id in &instances {
            let providers = graph.get_instantiation_arguments(id);
            let depth = providers
                .filter_map(|(_, argument)| instantiation(argument, graph))
                .map(|provider| depths.get(&provider).copied().unwrap_or_default() + 1)
                .max();
            let depth = depth.unwrap_or_default();
            is_changed |= depths.insert(id, depth).unwrap_or_default() != depth;
        }
        if !is_changed {
            break;
        }
    }
    depths
}

/// The instance that an item belongs to.
fn instantiation(mut id: NodeId, graph: &CompositionGraph) -> Option<NodeId> {
    while !matches!(graph[id].kind(), NodeKind::Instantiation(_)) {
        (id, _) = graph.get_alias_source(id)?;
    }
    Some(id)
}
