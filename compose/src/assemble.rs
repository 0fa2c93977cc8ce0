//! Turns a plan into bytes, with `wac-graph`.

use std::collections::BTreeMap;
use std::error::Error;

use wac_graph::{CompositionGraph, EncodeError, EncodeOptions, NodeId};
use wasmparser::{BinaryReaderError, Parser, Payload, Validator};

use crate::guard::guard;
use crate::link::LinkError;
use crate::open_imports::{OpenImport, name_types};
use crate::plan::Plan;
use crate::resources::explain_clash;

/// A composition in binary form, and what it shows to the outside.
pub(crate) struct Assembled {
    pub(crate) bytes: Vec<u8>,
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// Encodes the plan, validates the result and reads its imports and exports.
pub(crate) fn assemble(plan: &Plan<'_>) -> Result<Assembled, LinkError> {
    let bytes = encode_and_validate(plan).map_err(|error| explain_clash(plan).unwrap_or(error))?;
    // Not from the graph: encoding merges imports on one version track.
    let (imports, exports) = surface(&bytes).map_err(|source| LinkError::Invalid { source })?;
    Ok(Assembled {
        bytes,
        imports,
        exports,
    })
}

fn encode_and_validate(plan: &Plan<'_>) -> Result<Vec<u8>, LinkError> {
    let bytes = guard(|| encode(plan)).map_err(refused)??;
    Validator::new()
        .validate_all(&bytes)
        .map_err(|source| LinkError::Invalid { source })?;
    Ok(bytes)
}

fn encode(plan: &Plan<'_>) -> Result<Vec<u8>, LinkError> {
    let mut graph = CompositionGraph::new();
    let mut instances: BTreeMap<&str, NodeId> = BTreeMap::new();
    let mut open_imports = Vec::new();
    for component in &plan.components {
        let package = component
            .package_in(graph.types_mut())
            .map_err(|source| LinkError::Wac { source })?;
        open_imports.extend(plan.open_imports(component).map(|name| OpenImport {
            world: package.ty(),
            name: name.to_owned(),
        }));
        let package = graph.register_package(package).map_err(refused)?;
        let instance = graph.instantiate(package);
        graph.set_node_name(instance, component.name());
        instances.insert(component.name(), instance);
    }
    name_types(graph.types_mut(), &open_imports);

    // A plan only names its own components.
    let instance = |name: &str| instances.get(name).copied().ok_or_else(|| unplanned(name));

    for wire in &plan.wires {
        let export = graph
            .alias_instance_export(instance(&wire.provider)?, &wire.export)
            .map_err(refused)?;
        graph
            .set_instantiation_argument(instance(&wire.importer)?, &wire.import, export)
            .map_err(refused)?;
    }
    for name in plan.root.exports() {
        let export = graph
            .alias_instance_export(instance(plan.root.name())?, name)
            .map_err(refused)?;
        graph.export(export, name).map_err(refused)?;
    }

    let options = EncodeOptions {
        define_components: true,
        validate: false,
        processor: None,
    };
    graph
        .encode(options)
        .map_err(|error| not_encoded(error, &instances))
}

fn refused(error: impl Error + Send + Sync + 'static) -> LinkError {
    LinkError::Wac {
        source: Box::new(error),
    }
}

fn unplanned(name: &str) -> LinkError {
    LinkError::Wac {
        source: format!("`{name}` is not part of the plan").into(),
    }
}

fn not_encoded(error: EncodeError, instances: &BTreeMap<&str, NodeId>) -> LinkError {
    let name_of = |node: NodeId| {
        let found = instances.iter().find(|(_, instance)| **instance == node);
        found.map_or_else(String::new, |(name, _)| (*name).to_owned())
    };
    match error {
        EncodeError::ImportTypeMergeConflict {
            import,
            first,
            second,
            source,
        } => LinkError::ImportConflict {
            import,
            first: name_of(first),
            second: name_of(second),
            source: source.into(),
        },
        other => refused(other),
    }
}

/// The names of the imports and of the exports of a component.
fn surface(bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), BinaryReaderError> {
    let mut imports = Vec::new();
    let mut exports = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}
