//! Checks of a plan before it is encoded.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::names::ComponentName;

use super::dependency_cycle::{cycle_message, find_cycle};
use super::type_mismatch::{TypeMismatch, join, type_mismatches};
use crate::model::component::Component;
use crate::model::composition::{Wire, sha256};
use crate::model::diagnostics::{
    choose_from, duplicate_component, missing_export, other_track, unknown_component,
};
use crate::model::plan::{Components, Plan, PlannedComponent};
use crate::model::report::{Code, Diagnostic, Report, quoted};
use crate::model::version_track;

/// The components that `plan` names, of those in `components`.
///
/// # Errors
///
/// Returns a report if a component is missing, is given twice, or has another digest than
/// the plan requires.
pub(crate) fn find_components<'c>(
    plan: &Plan,
    components: impl IntoIterator<Item = &'c Component>,
) -> Result<Components<'c>, Report> {
    let mut given = BTreeMap::new();
    let mut duplicates = Vec::new();
    for component in components {
        if given.insert(component.name(), component).is_some() {
            duplicates.push(component.name());
        }
    }
    let mut diagnostics = Vec::new();
    let mut found = BTreeMap::new();
    for PlannedComponent { name, sha256, .. } in &plan.components {
        let Some((name, component)) = given.get_key_value(name.as_str()) else {
            diagnostics.push(unknown_component(name, given.keys()));
            continue;
        };
        if found.insert(*name, *component).is_some() || duplicates.contains(name) {
            diagnostics.push(duplicate_component(name));
        }
        if let Some(sha256) = sha256 {
            diagnostics.extend(digest_mismatch(component, sha256));
        }
    }
    Report::from(diagnostics).into_result()?;
    Ok(found)
}

fn digest_mismatch(component: &Component, planned: &str) -> Option<Diagnostic> {
    let found = sha256(component.bytes());
    (found != planned).then(|| {
        Diagnostic::error(
            Code::ChangedPart,
            format!(
                "`{}` has the SHA-256 digest {found}, and the plan requires {planned}",
                component.name()
            ),
            "make the plan again, or remove the digest from it",
        )
        .among([component.name()])
    })
}

/// Errors and warnings, the first cause first.
pub(crate) fn check_plan(plan: &Plan, components: &Components<'_>) -> Vec<Diagnostic> {
    if plan.components.is_empty() {
        return vec![Diagnostic::error(
            Code::UnknownComponent,
            format!("the plan `{}` has no components", plan.name),
            "name at least one component",
        )];
    }
    let mut diagnostics = unknown_names(plan, components);
    if !diagnostics.is_empty() {
        // The other checks look these names up.
        return diagnostics;
    }
    diagnostics.extend(
        plan.wires
            .iter()
            .filter_map(|wire| type_mismatch(wire, components)),
    );
    diagnostics.extend(cycle(plan));
    diagnostics.extend(other_tracks(plan, components));
    diagnostics.extend(unused(plan));
    diagnostics
}

/// Unknown and ambiguous names in wires and exports.
fn unknown_names(plan: &Plan, components: &Components<'_>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let mut satisfied = BTreeSet::new();
    for wire in &plan.wires {
        let importer = find(&wire.importer, components, &mut diagnostics);
        let provider = find(&wire.provider, components, &mut diagnostics);
        if let Some(importer) = importer
            && !importer.world().imports.contains_key(&wire.import)
        {
            diagnostics.push(missing_import(importer, wire));
        }
        if let Some(provider) = provider
            && !provider.exports().any(|export| export == wire.export)
        {
            diagnostics.push(
                missing_export(provider, &wire.export).of_import(&wire.importer, &wire.import),
            );
        }
        if !satisfied.insert((&wire.importer, &wire.import)) {
            diagnostics.push(satisfied_twice(plan, wire));
        }
    }
    let mut exported = BTreeSet::new();
    for export in &plan.exports {
        if let Some(provider) = find(&export.provider, components, &mut diagnostics)
            && !provider.exports().any(|name| name == export.export)
        {
            diagnostics.push(missing_export(provider, &export.export));
        }
        if !exported.insert(export.name.to_lowercase()) {
            diagnostics.push(exported_twice(&export.name));
        }
        diagnostics.extend(invalid_name(&export.name));
    }
    diagnostics
}

fn find<'c>(
    name: &str,
    components: &Components<'c>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<&'c Component> {
    let found = components.get(name).copied();
    if found.is_none() {
        diagnostics.push(unknown_component(name, components.keys()));
    }
    found
}

fn missing_import(importer: &Component, wire: &Wire) -> Diagnostic {
    let imports: Vec<&str> = importer.imports().collect();
    Diagnostic::error(
        Code::MissingImport,
        format!("`{}` does not import `{}`", wire.importer, wire.import),
        choose_from("remove the wire, or name one of its imports", &imports),
    )
    .of_import(&wire.importer, &wire.import)
    .among(imports)
}

fn satisfied_twice(plan: &Plan, wire: &Wire) -> Diagnostic {
    let same = |other: &&Wire| other.importer == wire.importer && other.import == wire.import;
    let providers = plan.wires.iter().filter(same);
    let providers: Vec<&str> = providers.map(|wire| wire.provider.as_str()).collect();
    Diagnostic::error(
        Code::AmbiguousProvider,
        format!(
            "the import `{}` of `{}` has more than one wire, to {}",
            wire.import,
            wire.importer,
            quoted(&providers)
        ),
        "keep one of the wires",
    )
    .of_import(&wire.importer, &wire.import)
    .among(providers)
}

fn invalid_name(name: &str) -> Option<Diagnostic> {
    let error = ComponentName::new(name, 0).err()?;
    Some(
        Diagnostic::error(
            Code::InvalidName,
            format!("`{name}` is not a valid export name: {}", error.message()),
            "use words of lower-case letters with hyphens, or `namespace:package/interface@version`",
        )
        .about(name),
    )
}

fn exported_twice(name: &str) -> Diagnostic {
    let reason = format!("duplicate export `{name}`");
    Diagnostic {
        reason,
        fix: "keep one of the exports".to_owned(),
        ..duplicate_component(name).about(name)
    }
}

fn type_mismatch(wire: &Wire, components: &Components<'_>) -> Option<Diagnostic> {
    let Wire {
        importer,
        import,
        provider,
        export,
    } = wire;
    let expecting = components.get(importer.as_str())?;
    let offering = components.get(provider.as_str())?;
    let expected = *expecting.world().imports.get(import)?;
    let offered = *offering.world().exports.get(export)?;
    let mismatches = type_mismatches(
        import,
        (expecting.types(), expected),
        (offering.types(), offered),
    );
    if mismatches.is_empty() {
        return None;
    }
    let is_async = mismatches.iter().all(TypeMismatch::is_only_async);
    let (code, fix) = if is_async {
        (
            Code::AsyncMismatch,
            "build both against the same version of the interface: a synchronous function cannot \
             replace an asynchronous one"
                .to_owned(),
        )
    } else {
        (
            Code::TypeMismatch,
            format!(
                "build `{importer}` and `{provider}` against the same version of the interface"
            ),
        )
    };
    let other_name = if import == export {
        String::new()
    } else {
        format!(" (as `{import}`)")
    };
    let reason = format!(
        "`{provider}` exports `{export}`, which does not match the import of \
         `{importer}`{other_name}: {}",
        join(&mismatches)
    );
    Some(
        Diagnostic::error(code, reason, fix)
            .of_import(importer, import)
            .among([provider]),
    )
}

/// Components cannot be instantiated in a cycle: each needs its imports first.
fn cycle(plan: &Plan) -> Option<Diagnostic> {
    let wires = plan.wires.iter();
    let cycle = find_cycle(wires.map(|wire| (&*wire.importer, &*wire.provider)))?;
    let diagnostic = Diagnostic::error(
        Code::Cycle,
        cycle_message(&cycle),
        "leave one of the components out, so that the host provides its exports",
    );
    Some(diagnostic.among(cycle))
}

/// Unresolved imports whose interface a component of the plan exports on another version
/// track.
fn other_tracks(plan: &Plan, components: &Components<'_>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for importer in components.values() {
        for import in plan.unresolved_imports(importer) {
            let others = components.values().flat_map(|provider| {
                let exports = provider.exports();
                exports.map(|export| (provider.name(), export))
            });
            let near_misses: Vec<(&str, &str)> = others
                .filter(|(_, export)| version_track::same_interface_on_other_track(import, export))
                .collect();
            if let Some(&(provider, export)) = near_misses.first() {
                let diagnostic = other_track((importer.name(), import), (provider, export));
                let candidates = near_misses.iter().map(|(provider, _)| *provider);
                diagnostics.push(diagnostic.into_warning().among(candidates));
            }
        }
    }
    diagnostics
}

/// Components that no export of the plan depends on.
fn unused(plan: &Plan) -> Vec<Diagnostic> {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut next: Vec<&str> = plan
        .exports
        .iter()
        .map(|export| export.provider.as_str())
        .collect();
    while let Some(name) = next.pop() {
        if used.insert(name) {
            let wires = plan.wires.iter().filter(|wire| wire.importer == name);
            next.extend(wires.map(|wire| wire.provider.as_str()));
        }
    }
    plan.components
        .iter()
        .map(|component| component.name.as_str())
        .filter(|name| !used.contains(name))
        .map(|name| {
            Diagnostic::error(
                Code::UnusedPart,
                format!("`{name}` is unused"),
                "leave it out, unless it is needed for another reason",
            )
            .into_warning()
            .among([name])
        })
        .collect()
}
