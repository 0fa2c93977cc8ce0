//! A plan as a component, encoded by `wac-graph`.

use std::collections::BTreeMap;
use std::error::Error;

use wac_graph::{CompositionGraph, EncodeError, EncodeOptions, NodeId};

use super::needed_exports;
use super::unresolved_imports::{UnresolvedImport, assign_types};
use crate::binary::type_imports::TypeImports;
use crate::catch_panic::catch_panic;
use crate::model::component::Component;
use crate::model::diagnostics::not_encodable;
use crate::model::plan::{Components, Plan};
use crate::model::report::{Code, Diagnostic, Report};
use crate::model::version_track;

/// Encodes a checked plan. The result is not validated yet.
pub(crate) fn assemble(plan: &Plan, components: &Components<'_>) -> Result<Vec<u8>, Report> {
    catch_panic(|| encode(plan, components)).map_err(|panic| not_encodable(&panic.reason))?
}

fn encode(plan: &Plan, components: &Components<'_>) -> Result<Vec<u8>, Report> {
    let mut graph = CompositionGraph::new();
    let mut instances: BTreeMap<&str, NodeId> = BTreeMap::new();
    let mut packages = BTreeMap::new();
    let mut unresolved = Vec::new();
    for component in in_encoding_order(plan, components) {
        let name = component.name();
        // Components with equal bytes are embedded once.
        let (package, world) = if let Some(package) = packages.get(component.bytes()) {
            *package
        } else {
            let package = component
                .package_in(graph.types_mut())
                .map_err(|error| not_encodable(&error.to_string()))?;
            let world = package.ty();
            let package = (graph.register_package(package).map_err(rejected)?, world);
            packages.insert(component.bytes(), package);
            package
        };
        unresolved.extend(
            plan.unresolved_imports(component)
                .map(|name| UnresolvedImport {
                    world,
                    name: name.to_owned(),
                }),
        );
        let instance = graph.instantiate(package);
        graph.set_node_name(instance, name);
        instances.insert(name, instance);
    }
    assign_types(graph.types_mut(), &unresolved);

    // A checked plan names only its own components.
    let instance = |name: &str| {
        let unplanned =
            || Report::from(not_encodable(&format!("`{name}` is not part of the plan")));
        instances.get(name).copied().ok_or_else(unplanned)
    };

    for wire in &plan.wires {
        let export = graph
            .alias_instance_export(instance(&wire.provider)?, &wire.export)
            .map_err(rejected)?;
        graph
            .set_instantiation_argument(instance(&wire.importer)?, &wire.import, export)
            .map_err(rejected)?;
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
            .map_err(rejected)?;
        graph.export(item, &export.name).map_err(rejected)?;
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

/// Passes an instance the types that it imports by name, from the instances that are its
/// arguments already: `wac` would define another type of that name, which is not equal if
/// it contains a resource.
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

/// The components in the order in which `wac` gets them: those with the highest versions of
/// unresolved imports first, because the encoder gives a merged import the version that it
/// encounters first; otherwise by name.
fn in_encoding_order<'c>(plan: &Plan, components: &Components<'c>) -> Vec<&'c Component> {
    let unresolved: Vec<&str> = components
        .values()
        .flat_map(|component| plan.unresolved_imports(component))
        .collect();
    let outdated = |component: &&Component| {
        plan.unresolved_imports(component)
            .filter(|import| version_track::highest(import, unresolved.iter().copied()) != *import)
            .count()
    };
    // Sorted by name already.
    let mut sorted: Vec<&Component> = components.values().copied().collect();
    sorted.sort_by_cached_key(outdated);
    sorted
}

fn rejected(error: impl Error) -> Report {
    not_encodable(&error.to_string()).into()
}

fn not_encoded(error: EncodeError, instances: &BTreeMap<&str, NodeId>) -> Report {
    let EncodeError::ImportTypeMergeConflict {
        import,
        first,
        second,
        source,
    } = error
    else {
        return rejected(error);
    };
    let name_of = |node: NodeId| {
        let found = instances.iter().find(|(_, instance)| **instance == node);
        found.map_or("", |(name, _)| *name)
    };
    let (first, second) = (name_of(first), name_of(second));
    Diagnostic::error(
        Code::ImportConflict,
        format!(
            "`{first}` and `{second}` import `{import}` with different types, so that one \
             import cannot satisfy both: {source:#}"
        ),
        "build both against the same version of the interface, or link one of them first \
         with a part that exports it",
    )
    .of_import(second, &import)
    .among([first, second])
    .into()
}
