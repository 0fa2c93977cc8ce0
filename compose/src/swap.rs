//! Swapping: one part of a composition is exchanged, and the rest stays.

use std::collections::BTreeSet;

use crate::component::Component;
use crate::decompose::{Decomposed, decompose};
use crate::diagnose::missing_export;
use crate::plan::{Plan, PlannedComponent, unknown_component};
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
    let decomposed = decompose_completely(app)?;
    let mut plan = plan_of(&decomposed);
    let mut components = Vec::new();
    let mut diagnostics = Vec::new();
    let is_part = |name: &str| decomposed.parts.contains_key(name);
    for replacement in &replacements {
        if !is_part(replacement.name()) {
            let parts = decomposed.parts.keys();
            diagnostics.push(unknown_component(replacement.name(), parts));
        }
    }
    for (name, bytes) in &decomposed.parts {
        if replacements
            .iter()
            .all(|component| component.name() != name)
        {
            match Component::new(name, *bytes) {
                Ok(component) => components.push(component),
                Err(error) => diagnostics.push(crate::extract::unusable_part(&error)),
            }
        }
    }
    components.extend(replacements);
    Report::from(diagnostics).into_result()?;

    let replaced: Vec<&Component> = components
        .iter()
        .filter(|component| decomposed.parts.get(component.name()) != Some(&component.bytes()))
        .collect();
    let mut diagnostics = Vec::new();
    for replacement in replaced {
        diagnostics.extend(rewire(&mut plan, replacement, &components));
    }
    Report::from(diagnostics).into_result()?;
    plan.components = components.iter().map(PlannedComponent::new).collect();
    Ok((plan, components))
}

/// Takes `app` apart, if a plan can say all that it is.
fn decompose_completely(app: &Component) -> Result<Decomposed<'_>, Report> {
    let name = app.name();
    let Some(decomposed) = decompose(app) else {
        return Err(crate::extract::not_composed(name).into());
    };
    let is_renamed = decomposed
        .structure
        .imports
        .iter()
        .any(|import| !version_track::same_track(&import.import, &import.name));
    if is_renamed || !decomposed.is_complete {
        return Err(Diagnostic::error(
            Code::NotEncodable,
            format!("`{name}` is put together in a way that a plan has no words for"),
            "compose it again from its parts, which `extract` gives",
        )
        .into());
    }
    Ok(decomposed)
}

fn plan_of(decomposed: &Decomposed<'_>) -> Plan {
    let structure = &decomposed.structure;
    Plan {
        name: structure.name.clone(),
        components: Vec::new(),
        wires: structure.wires.clone(),
        exports: structure.exports.clone(),
    }
}

/// Adapts the wires from and to `replacement`, and the exports.
fn rewire(plan: &mut Plan, replacement: &Component, components: &[Component]) -> Vec<Diagnostic> {
    let name = replacement.name();
    let mut diagnostics = Vec::new();
    for export in used_exports(plan, name) {
        match version_track::find(export, replacement.exports()) {
            Some(found) => *export = found.to_owned(),
            None => diagnostics.push(missing_export(replacement, export)),
        }
    }

    let of_part: Vec<Wire> = plan
        .wires
        .extract_if(.., |wire| wire.importer == name)
        .collect();
    let dependents = dependents(plan, name);
    for import in replacement.imports() {
        let kept = of_part
            .iter()
            .find(|wire| version_track::same_track(&wire.import, import));
        let wire = match kept {
            Some(wire) => Some(Wire {
                import: import.to_owned(),
                ..wire.clone()
            }),
            None => only_provider(import, components, &dependents).map(|(provider, export)| Wire {
                importer: name.to_owned(),
                import: import.to_owned(),
                provider: provider.to_owned(),
                export: export.to_owned(),
            }),
        };
        plan.wires.extend(wire);
    }
    diagnostics
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
