//! Swapping: replacement parts for an existing composition.

use std::collections::BTreeSet;

use crate::check::type_mismatch::{join, type_mismatches};
use crate::decompose::decompose;
use crate::model::component::Component;
use crate::model::composition::{Export, Wire};
use crate::model::diagnostics::{
    duplicate_component, missing_export, not_composed, unknown_component, unusable_part,
};
use crate::model::plan::{Plan, PlannedComponent};
use crate::model::report::{Code, Diagnostic, Report};
use crate::model::version_track;

/// Plans to replace parts of the composition `app` by the replacements of the same name.
/// Returns the plan and its components.
///
/// The replacement takes over the wires of the part in both directions. An import that the
/// part did not have is wired to the part that exports it, if exactly one does and it does
/// not depend on the replacement; otherwise the host has to satisfy it. Everything else is
/// unchanged, and a part that becomes unused is kept.
///
/// # Errors
///
/// Returns a report if `app` is not a composition that a plan reproduces, if it has no part
/// of that name, or if a replacement lacks an export that is used.
pub fn swap(
    app: &Component,
    replacements: Vec<Component>,
) -> Result<(Plan, Vec<Component>), Report> {
    let (mut plan, mut components) = reproduce(app)?;
    let mut diagnostics = Vec::new();
    let mut replaced: Vec<Component> = Vec::new();
    for replacement in replacements {
        let name = replacement.name();
        if replaced.iter().any(|part| part.name() == name) {
            diagnostics.push(duplicate_component(name));
            continue;
        }
        let part = components
            .iter_mut()
            .find(|component| component.name() == replacement.name());
        if let Some(part) = part {
            replaced.push(std::mem::replace(part, replacement));
        } else {
            let parts = components.iter().map(Component::name);
            diagnostics.push(unknown_component(replacement.name(), parts));
        }
    }
    Report::from(diagnostics).into_result()?;

    let mut diagnostics = Vec::new();
    for part in replaced {
        diagnostics.extend(rewire(&mut plan, &part, &components));
    }
    Report::from(diagnostics).into_result()?;
    plan.components = components.iter().map(PlannedComponent::new).collect();
    Ok((plan, components))
}

/// The plan that reproduces `app`, and its components; an error if no plan does.
fn reproduce(app: &Component) -> Result<(Plan, Vec<Component>), Report> {
    let name = app.name();
    let decomposed = decompose(app).ok_or_else(|| not_composed(name))?;
    let components = decomposed
        .parts
        .iter()
        .map(|(name, bytes)| Component::new(name, *bytes))
        .collect::<Result<Vec<Component>, _>>()
        .map_err(|error| unusable_part(&error))?;
    let composition = &decomposed.composition;
    let plan = Plan {
        name: name.to_owned(),
        components: components.iter().map(PlannedComponent::new).collect(),
        wires: composition.wires.clone(),
        exports: composition.exports.clone(),
    };
    let is_reproduced = composition.undescribed.is_empty()
        && plan.encode(&components).is_ok_and(|again| {
            again.composition == *composition
                && Component::new(name, again.bytes).is_ok_and(|again| same_world(app, &again))
        });
    if is_reproduced {
        return Ok((plan, components));
    }
    Err(Diagnostic::error(
        Code::NotEncodable,
        format!("`{name}` has connections that a plan cannot express"),
        "compose it again from its parts, which `extract` writes",
    )
    .into())
}

/// Whether two components have equal imports and exports, including types.
fn same_world(a: &Component, b: &Component) -> bool {
    let fits = |a: &Component, b: &Component| {
        let (of_a, of_b) = (a.world(), b.world());
        let pairs = [
            (&of_a.imports, &of_b.imports),
            (&of_a.exports, &of_b.exports),
        ];
        pairs.into_iter().all(|(of_a, of_b)| {
            of_a.len() == of_b.len()
                && of_a.iter().all(|(name, in_a)| {
                    of_b.get(name).is_some_and(|in_b| {
                        type_mismatches(name, (a.types(), *in_a), (b.types(), *in_b)).is_empty()
                    })
                })
        })
    };
    fits(a, b) && fits(b, a)
}

/// Adapts the exports of the plan, and the wires from and to the replacement of `part`.
fn rewire(plan: &mut Plan, part: &Component, components: &[Component]) -> Vec<Diagnostic> {
    let name = part.name();
    let Some(replacement) = components.iter().find(|component| component.name() == name) else {
        return Vec::new();
    };
    let mut diagnostics = Vec::new();
    for export in used_exports(plan, name) {
        match version_track::find(export, replacement.exports()) {
            Some(found) => *export = found.to_owned(),
            None => diagnostics.push(missing_export(replacement, export)),
        }
    }
    for export in plan.exports.iter().filter(|export| export.provider == name) {
        diagnostics.extend(changed_export(part, replacement, export));
    }

    let of_part: Vec<Wire> = plan
        .wires
        .extract_if(.., |wire| wire.importer == name)
        .collect();
    let dependents = dependents(plan, name);
    for import in replacement.imports() {
        let before = version_track::find(import, part.imports());
        let wire = match before {
            // The host satisfied this import of the part.
            Some(before) => of_part.iter().find(|wire| wire.import == before).cloned(),
            None => {
                unique_provider(import, components, &dependents).map(|(provider, export)| Wire {
                    importer: name.to_owned(),
                    import: import.to_owned(),
                    provider: provider.to_owned(),
                    export: export.to_owned(),
                })
            }
        };
        plan.wires.extend(wire.map(|wire| Wire {
            import: import.to_owned(),
            ..wire
        }));
    }
    diagnostics
}

/// The exports of the composition must not change, so the replacement needs all of them.
fn changed_export(
    part: &Component,
    replacement: &Component,
    export: &Export,
) -> Option<Diagnostic> {
    let before = version_track::find(&export.export, part.exports())?;
    let before = *part.world().exports.get(before)?;
    let after = *replacement.world().exports.get(&export.export)?;
    let mismatches = type_mismatches(
        &export.name,
        (part.types(), before),
        (replacement.types(), after),
    );
    (!mismatches.is_empty()).then(|| {
        Diagnostic::error(
            Code::DifferentExport,
            format!(
                "the composition exports `{}` of `{}`, which the replacement does not match: {}",
                export.name,
                part.name(),
                join(&mismatches)
            ),
            "build the replacement against the same version of the interface",
        )
        .about(&export.name)
    })
}

/// The export names of the part that wires and exports refer to.
fn used_exports<'p>(plan: &'p mut Plan, part: &str) -> impl Iterator<Item = &'p mut String> {
    let wires = plan
        .wires
        .iter_mut()
        .filter(move |wire| wire.provider == part)
        .map(|wire| &mut wire.export);
    let exports = plan
        .exports
        .iter_mut()
        .filter(move |export| export.provider == part)
        .map(|Export { export, .. }| export);
    wires.chain(exports)
}

/// The part itself and everything that depends on it.
fn dependents(plan: &Plan, part: &str) -> BTreeSet<String> {
    let mut dependents = BTreeSet::new();
    let mut next = vec![part.to_owned()];
    while let Some(name) = next.pop() {
        let wires = plan.wires.iter().filter(|wire| wire.provider == name);
        next.extend(
            wires
                .map(|wire| wire.importer.clone())
                .filter(|importer| !dependents.contains(importer)),
        );
        dependents.insert(name);
    }
    dependents
}

/// The component that exports `import`, if exactly one outside of `dependents` does.
fn unique_provider<'c>(
    import: &str,
    components: &'c [Component],
    dependents: &BTreeSet<String>,
) -> Option<(&'c str, &'c str)> {
    let mut providers = components
        .iter()
        .filter(|component| !dependents.contains(component.name()))
        .filter_map(|component| {
            let export = version_track::find(import, component.exports())?;
            Some((component.name(), export))
        });
    let first = providers.next()?;
    providers.next().is_none().then_some(first)
}
