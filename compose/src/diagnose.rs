//! Finds what keeps a plan from being carried out, before anything is encoded.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::names::ComponentName;

use crate::component::Component;
use crate::difference::{Difference, differences, join};
use crate::plan::{Plan, equal_names, unknown_component};
use crate::report::{Code, Diagnostic, quoted};
use crate::structure::Wire;
use crate::version_track;

/// The components of a plan by their names.
pub(crate) type Components<'c> = BTreeMap<&'c str, &'c Component>;

/// Errors and warnings, the first cause first.
pub(crate) fn diagnose(plan: &Plan, components: &Components<'_>) -> Vec<Diagnostic> {
    if plan.components.is_empty() {
        return vec![Diagnostic::error(
            Code::UnknownComponent,
            format!("the plan `{}` has no components", plan.name),
            "name at least one",
        )];
    }
    let mut diagnostics = unknown_names(plan, components);
    if !diagnostics.is_empty() {
        // Everything else looks these names up.
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

/// Names in wires and exports that stand for nothing, or for two things.
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
        one_of("take the wire out, or name one of its imports", &imports),
    )
    .of_import(&wire.importer, &wire.import)
    .among(imports)
}

/// `provider` lacks the export `wanted`.
pub(crate) fn missing_export(provider: &Component, wanted: &str) -> Diagnostic {
    let exports: Vec<&str> = provider.exports().collect();
    let name = provider.name();
    Diagnostic::error(
        Code::MissingExport,
        format!("`{name}` does not export `{wanted}`"),
        one_of("name one of its exports", &exports),
    )
    .about(wanted)
    .among(exports)
}

fn one_of(remedy: &str, names: &[&str]) -> String {
    if names.is_empty() {
        format!("{remedy}; it has none")
    } else {
        format!("{remedy}: {}", quoted(names))
    }
}

fn satisfied_twice(plan: &Plan, wire: &Wire) -> Diagnostic {
    let same = |other: &&Wire| other.importer == wire.importer && other.import == wire.import;
    let providers = plan.wires.iter().filter(same);
    let providers: Vec<&str> = providers.map(|wire| wire.provider.as_str()).collect();
    Diagnostic::error(
        Code::AmbiguousProvider,
        format!(
            "the import `{}` of `{}` is wired more than once, to {}",
            wire.import,
            wire.importer,
            quoted(&providers)
        ),
        "leave one of the wires",
    )
    .of_import(&wire.importer, &wire.import)
    .among(providers)
}

fn invalid_name(name: &str) -> Option<Diagnostic> {
    let error = ComponentName::new(name, 0).err()?;
    Some(
        Diagnostic::error(
            Code::InvalidName,
            format!("`{name}` cannot be the name of an export: {}", error.message()),
            "use words of lower-case letters with hyphens, or `namespace:package/interface@version`",
        )
        .about(name),
    )
}

fn exported_twice(name: &str) -> Diagnostic {
    let reason = format!("the composition exports `{name}` twice");
    Diagnostic {
        reason,
        fix: "leave one of the exports".to_owned(),
        ..equal_names(name).about(name)
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
    let differences = differences(
        import,
        (expecting.types(), expected),
        (offering.types(), offered),
    );
    if differences.is_empty() {
        return None;
    }
    let is_async = differences.iter().all(Difference::is_only_async);
    let (code, fix) = if is_async {
        (
            Code::AsyncMismatch,
            "build both against the same version of the interface: a synchronous function cannot \
             stand in for an asynchronous one"
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
    let under_its_own_name = if import == export {
        String::new()
    } else {
        format!(" (as `{import}`)")
    };
    let reason = format!(
        "`{provider}` exports `{export}`, but not as `{importer}` imports it{under_its_own_name}: \
         {}",
        join(&differences)
    );
    Some(
        Diagnostic::error(code, reason, fix)
            .of_import(importer, import)
            .among([provider]),
    )
}

/// Components cannot be instantiated in a circle: each needs its imports first.
fn cycle(plan: &Plan) -> Option<Diagnostic> {
    let mut providers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for wire in plan.wires.iter().rev() {
        let of_importer = providers.entry(&wire.importer).or_default();
        of_importer.push(&wire.provider);
    }
    let providers_of = |name: &str| providers.get(name).cloned().unwrap_or_default();
    let mut finished: BTreeSet<&str> = BTreeSet::new();
    let exports = plan.exports.iter().map(|export| export.provider.as_str());
    let others = plan.components.iter().map(|part| part.name.as_str());
    for start in exports.chain(others) {
        if finished.contains(start) {
            continue;
        }
        let mut path: Vec<&str> = vec![start];
        // For each component of the path, what is still to be looked at below it.
        let mut pending: Vec<Vec<&str>> = vec![providers_of(start)];
        while let Some(rest) = pending.last_mut() {
            let Some(provider) = rest.pop() else {
                pending.pop();
                finished.extend(path.pop());
                continue;
            };
            if let Some(first) = path.iter().position(|name| *name == provider) {
                let mut circle = path.split_off(first);
                circle.push(provider);
                return Some(circular(&circle));
            }
            if !finished.contains(provider) {
                path.push(provider);
                pending.push(providers_of(provider));
            }
        }
    }
    None
}

fn circular(circle: &[&str]) -> Diagnostic {
    Diagnostic::error(
        Code::Cycle,
        format!(
            "the components need each other in a circle, so none can start first: {}",
            circle.join(" -> ")
        ),
        "leave one of them out, so that the host provides what it would",
    )
    .among(circle.iter().copied())
}

/// Imports that stay open although a component of the plan exports the interface,
/// on another version track.
fn other_tracks(plan: &Plan, components: &Components<'_>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for importer in components.values() {
        for import in plan.open_imports(importer) {
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

/// An import and an export of one interface on different version tracks.
pub(crate) fn other_track(
    (importer, import): (&str, &str),
    (provider, export): (&str, &str),
) -> Diagnostic {
    Diagnostic::error(
        Code::VersionTrack,
        format!(
            "`{importer}` imports `{import}`, and `{provider}` exports `{export}`, which is on \
             another version track and does not stand in for it"
        ),
        "build both against the same version",
    )
    .of_import(importer, import)
    .among([provider])
}

/// Components that no export of the plan needs.
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
                format!("nothing uses `{name}`"),
                "leave it out, unless it has to be there",
            )
            .into_warning()
            .among([name])
        })
        .collect()
}
