//! Swapping: one part of a composition is exchanged, and the rest stays.

use std::collections::BTreeSet;

use crate::component::Component;
use crate::decompose::decompose;
use crate::diagnose::missing_export;
use crate::difference::{differences, join};
use crate::extract::{not_composed, unusable_part};
use crate::plan::{Plan, PlannedComponent, equal_names, unknown_component};
use crate::report::{Code, Diagnostic, Report};
use crate::structure::{Export, Wire};
use crate::version_track;

/// Plans to exchange parts of the composition `app`, each for the replacement with
/// its name. Returns the plan and the components that it asks for.
///
/// What is wired to a part is wired to its replacement, and the imports of the
/// replacement are wired as those of the part were. An import that the part did not
/// have is wired to a part that exports it, if there is exactly one and it does not
/// depend on the replacement; otherwise it is left to the host. Everything else
/// stays as it is, and a part that nothing uses any more stays, too.
///
/// # Errors
///
/// Returns a report if `app` is not a composition that can be made again, if it has
/// no part of that name, or if a replacement lacks an export that is used.
pub fn swap(
    app: &Component,
    replacements: Vec<Component>,
) -> Result<(Plan, Vec<Component>), Report> {
    let (mut plan, mut components) = plan_again(app)?;
    let mut diagnostics = Vec::new();
    let mut replaced: Vec<Component> = Vec::new();
    for replacement in replacements {
        let name = replacement.name();
        if replaced.iter().any(|part| part.name() == name) {
            diagnostics.push(equal_names(name));
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

/// The plan by which `app` is composed, and its components; an error if there is no
/// plan that gives the same.
fn plan_again(app: &Component) -> Result<(Plan, Vec<Component>), Report> {
    let name = app.name();
    let decomposed = decompose(app).ok_or_else(|| not_composed(name))?;
    let components = decomposed
        .parts
        .iter()
        .map(|(name, bytes)| Component::new(name, *bytes))
        .collect::<Result<Vec<Component>, _>>()
        .map_err(|error| unusable_part(&error))?;
    let structure = &decomposed.structure;
    let plan = Plan {
        name: name.to_owned(),
        components: components.iter().map(PlannedComponent::new).collect(),
        wires: structure.wires.clone(),
        exports: structure.exports.clone(),
    };
    let is_the_same = structure.undescribed.is_empty()
        && plan.encode(&components).is_ok_and(|again| {
            again.structure == *structure
                && Component::new(name, again.bytes).is_ok_and(|again| same_world(app, &again))
        });
    if is_the_same {
        return Ok((plan, components));
    }
    Err(Diagnostic::error(
        Code::NotEncodable,
        format!("`{name}` is put together in a way that a plan has no words for"),
        "compose it again from its parts, which `extract` gives",
    )
    .into())
}

/// Whether two components import and export the same, with the same types.
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
                        differences(name, (a.types(), *in_a), (b.types(), *in_b)).is_empty()
                    })
                })
        })
    };
    fits(a, b) && fits(b, a)
}

/// Adapts the wires from and to the replacement of `part`, and the exports.
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
            // What the part left to the host is left to the host.
            Some(before) => of_part.iter().find(|wire| wire.import == before).cloned(),
            None => only_provider(import, components, &dependents).map(|(provider, export)| Wire {
                importer: name.to_owned(),
                import: import.to_owned(),
                provider: provider.to_owned(),
                export: export.to_owned(),
            }),
        };
        plan.wires.extend(wire.map(|wire| Wire {
            import: import.to_owned(),
            ..wire
        }));
    }
    diagnostics
}

/// What the whole exports stays as it is, so the replacement must offer all of it.
fn changed_export(
    part: &Component,
    replacement: &Component,
    export: &Export,
) -> Option<Diagnostic> {
    let before = version_track::find(&export.export, part.exports())?;
    let before = *part.world().exports.get(before)?;
    let after = *replacement.world().exports.get(&export.export)?;
    let differences = differences(
        &export.name,
        (part.types(), before),
        (replacement.types(), after),
    );
    (!differences.is_empty()).then(|| {
        Diagnostic::error(
            Code::DifferentExport,
            format!(
                "the whole exports `{}` of `{}`, and the replacement has it with other types: {}",
                export.name,
                part.name(),
                join(&differences)
            ),
            "build the replacement against the same version of the interface",
        )
        .about(&export.name)
    })
}

/// The names under which exports of the part are used.
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

/// The part itself and everything that needs it.
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

/// The one component that exports `import`, if there is one that may.
fn only_provider<'c>(
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
