//! Turns a plan into bytes, with `wac-graph`.

use std::collections::BTreeMap;
use std::error::Error;

use wac_graph::{CompositionGraph, EncodeError, EncodeOptions, NodeId};

use crate::component::Component;
use crate::diagnose::Components;
use crate::guard::guard;
use crate::needed_exports;
use crate::open_imports::{OpenImport, name_types};
use crate::plan::{Plan, not_encodable};
use crate::report::{Code, Diagnostic, Report};
use crate::type_imports::TypeImports;
use crate::version_track;

/// Encodes a plan in which nothing was found to be wrong. The result is still to be
/// validated.
pub(crate) fn assemble(plan: &Plan, components: &Components<'_>) -> Result<Vec<u8>, Report> {
    guard(|| encode(plan, components)).map_err(|panic| not_encodable(&panic.reason))?
}

fn encode(plan: &Plan, components: &Components<'_>) -> Result<Vec<u8>, Report> {
    let mut graph = CompositionGraph::new();
    let mut instances: BTreeMap<&str, NodeId> = BTreeMap::new();
    let mut packages = BTreeMap::new();
    let mut open_imports = Vec::new();
    for component in in_order(plan, components) {
        let name = component.name();
        // Equal components are embedded once.
        let (package, world) = if let Some(package) = packages.get(component.bytes()) {
            *package
        } else {
            let package = component
                .package_in(graph.types_mut())
                .map_err(|error| not_encodable(&error.to_string()))?;
            let world = package.ty();
            let package = (graph.register_package(package).map_err(refused)?, world);
            packages.insert(component.bytes(), package);
            package
        };
        open_imports.extend(plan.open_imports(component).map(|name| OpenImport {
            world,
            name: name.to_owned(),
        }));
        let instance = graph.instantiate(package);
        graph.set_node_name(instance, name);
        instances.insert(name, instance);
    }
    name_types(graph.types_mut(), &open_imports);

    // A plan that was checked only names its own components.
    let instance = |name: &str| {
        let unplanned = || not_encodable(&format!("`{name}` is not part of the plan"));
        instances.get(name).copied().ok_or_else(unplanned)
    };

    for wire in &plan.wires {
        let export = graph
            .alias_instance_export(instance(&wire.provider)?, &wire.export)
            .map_err(refused)?;
        graph
            .set_instantiation_argument(instance(&wire.importer)?, &wire.import, export)
            .map_err(refused)?;
    }
    for component in components.values() {
        pass_types(
            &mut graph,
            instance(component.name())?,
            component.type_imports(),
        )
        .map_err(|error| not_encodable(&error.to_string()))?;
    }
    for export in needed_exports::in_order(plan, components) {
        let item = graph
            .alias_instance_export(instance(&export.provider)?, &export.export)
            .map_err(refused)?;
        graph.export(item, &export.name).map_err(refused)?;
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

/// Gives an instance the types that it imports by name, from the instances that it is
/// given already: `wac` would write out another type under that name, which is not the
/// same where there is a resource in it.
pub(crate) fn pass_types(
    graph: &mut CompositionGraph,
    instance: NodeId,
    types: &TypeImports,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let given: BTreeMap<String, NodeId> = graph
        .get_instantiation_arguments(instance)
        .map(|(name, node)| (name.to_owned(), node))
        .collect();
    for (import, used) in types {
        let Some(used) = used.as_ref().filter(|_| !given.contains_key(import)) else {
            continue;
        };
        if let Some(interface) = given.get(&used.import) {
            let ty = graph.alias_instance_export(*interface, &used.name)?;
            graph.set_instantiation_argument(instance, import, ty)?;
        }
    }
    Ok(())
}

/// The components, in the order in which they are given to `wac`: those with the
/// latest versions of what stays open come first, because the encoder gives a
/// merged import the version that it meets first; those that are equal in this are
/// sorted by name.
fn in_order<'c>(plan: &Plan, components: &Components<'c>) -> Vec<&'c Component> {
    let open: Vec<&str> = components
        .values()
        .flat_map(|component| plan.open_imports(component))
        .collect();
    let outdated = |component: &&Component| {
        plan.open_imports(component)
            .filter(|import| version_track::highest(import, open.iter().copied()) != *import)
            .count()
    };
    // Sorted by name already.
    let mut sorted: Vec<&Component> = components.values().copied().collect();
    sorted.sort_by_cached_key(outdated);
    sorted
}

fn refused(error: impl Error) -> Report {
    not_encodable(&error.to_string())
}

fn not_encoded(error: EncodeError, instances: &BTreeMap<&str, NodeId>) -> Report {
    let EncodeError::ImportTypeMergeConflict {
        import,
        first,
        second,
        source,
    } = error
    else {
        return refused(error);
    };
    let name_of = |node: NodeId| {
        let found = instances.iter().find(|(_, instance)| **instance == node);
        found.map_or("", |(name, _)| *name)
    };
    let (first, second) = (name_of(first), name_of(second));
    Diagnostic::error(
        Code::ImportConflict,
        format!(
            "`{first}` and `{second}` both import `{import}`, but not with the same types, so that \
             no host can provide it to both: {source:#}"
        ),
        "build both against the same version of the interface, or link a part that exports it to \
         one of them first",
    )
    .of_import(second, &import)
    .among([first, second])
    .into()
}
