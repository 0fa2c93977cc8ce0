//! The order in which a composition exports.

use std::collections::HashMap;

use wac_graph::{CompositionGraph, NodeId, NodeKind};
use wac_types::ItemKind;

use crate::wac::WacError;
use crate::wac::excerpt::Source;

/// Puts the exports of `graph` in an order in which each comes after those of which it
/// may use types, whatever the order of the text: after those of the instances that its
/// own gets something from, and those of one instance in the order of its component.
pub(super) fn put_in_order(
    source: &Source<'_>,
    graph: &mut CompositionGraph,
) -> Result<(), WacError> {
    let distances = distances(graph);
    let mut exports: Vec<(Place, NodeId)> = graph
        .node_ids()
        .filter(|id| !matches!(graph[*id].kind(), NodeKind::Definition))
        .filter_map(|id| Some((Place::of(id, graph, &distances)?, id)))
        .collect();
    exports.sort();
    let refused = |error: Box<dyn std::error::Error + Send + Sync>| WacError::Wac {
        file: source.file.to_owned(),
        source: error,
    };
    for (_, id) in &exports {
        graph.unexport(*id).map_err(|error| refused(error.into()))?;
    }
    for (place, id) in exports {
        graph
            .export(id, place.name)
            .map_err(|error| refused(error.into()))?;
    }
    Ok(())
}

/// Where an export belongs.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    distance: usize,
    instance: Option<String>,
    position: Option<usize>,
    name: String,
}

impl Place {
    /// The place of `id`, if it is exported.
    fn of(
        id: NodeId,
        graph: &CompositionGraph,
        distances: &HashMap<NodeId, usize>,
    ) -> Option<Self> {
        let name = graph[id].export_name()?.to_owned();
        let instance = instantiation(id, graph);
        let position = graph.get_alias_source(id).and_then(|(source, export)| {
            let ItemKind::Instance(interface) = graph[source].item_kind() else {
                return None;
            };
            graph.types()[interface].exports.get_index_of(export)
        });
        Some(Self {
            distance: instance
                .and_then(|id| distances.get(&id).copied())
                .unwrap_or_default(),
            instance: instance.and_then(|id| graph[id].name().map(ToOwned::to_owned)),
            position,
            name,
        })
    }
}

/// How many arguments it is at most from each instance to one that gets nothing of
/// another.
fn distances(graph: &CompositionGraph) -> HashMap<NodeId, usize> {
    let instances: Vec<NodeId> = graph
        .node_ids()
        .filter(|id| matches!(graph[*id].kind(), NodeKind::Instantiation(_)))
        .collect();
    let mut distances: HashMap<NodeId, usize> = HashMap::new();
    // Without a circle, this ends earlier.
    for _ in &instances {
        let mut is_changed = false;
        for &id in &instances {
            let providers = graph.get_instantiation_arguments(id);
            let farthest = providers
                .filter_map(|(_, argument)| instantiation(argument, graph))
                .map(|provider| distances.get(&provider).copied().unwrap_or_default() + 1)
                .max();
            let farthest = farthest.unwrap_or_default();
            is_changed |= distances.insert(id, farthest).unwrap_or_default() != farthest;
        }
        if !is_changed {
            break;
        }
    }
    distances
}

/// The instance that an item is part of.
fn instantiation(mut id: NodeId, graph: &CompositionGraph) -> Option<NodeId> {
    while !matches!(graph[id].kind(), NodeKind::Instantiation(_)) {
        (id, _) = graph.get_alias_source(id)?;
    }
    Some(id)
}
