//! Compatibility of a component with a world.

use wac_types::ItemKind;

use super::type_mismatch::{join, type_mismatches};
use crate::model::component::Component;
use crate::model::report::{Code, Diagnostic, Report};
use crate::model::version_track;
use crate::wit::world::World;

/// Reports what prevents `component` from running on a host that provides exactly `world`;
/// empty if it runs.
///
/// The component may import less than the world provides and export more than it expects.
/// Versions match on the same track, and every function and type that the component uses is
/// compared, so that use of a function of a later version is reported as well.
#[must_use]
pub fn check(component: &Component, world: &World) -> Report {
    let types = component.type_imports();
    let imports = component.world().imports.iter();
    let imports = imports.filter(|(import, _)| !types.contains_key(*import));
    let exports = world.world().exports.iter();
    imports
        .filter_map(|(import, kind)| check_import(component, (import, *kind), world))
        .chain(exports.filter_map(|(export, kind)| check_export(component, (export, *kind), world)))
        .collect::<Vec<Diagnostic>>()
        .into()
}

fn check_import(
    component: &Component,
    (import, kind): (&str, ItemKind),
    world: &World,
) -> Option<Diagnostic> {
    let names = || world.world().imports.keys().map(String::as_str);
    let name = component.name();
    let Some(offered) = version_track::find(import, names()) else {
        let diagnostic = match other_track(import, names()) {
            Some(other) => Diagnostic::error(
                Code::SuperfluousImport,
                format!(
                    "`{name}` imports `{import}`, and the world has `{other}`, which is on another \
                     version track"
                ),
                "build the component against that version",
            )
            .among([other]),
            None => Diagnostic::error(
                Code::SuperfluousImport,
                format!("`{name}` imports `{import}`, which the world does not have"),
                remedy(import),
            ),
        };
        return Some(diagnostic.of_import(name, import));
    };
    let offered_kind = *world.world().imports.get(offered)?;
    let mismatches = type_mismatches(
        import,
        (component.types(), kind),
        (world.types(), offered_kind),
    );
    (!mismatches.is_empty()).then(|| {
        Diagnostic::error(
            Code::DifferentImport,
            format!(
                "`{name}` imports `{import}`, which does not match `{offered}` of the world: {}",
                join(&mismatches)
            ),
            "build the component against that version",
        )
        .of_import(name, import)
        .among([offered])
    })
}

fn check_export(
    component: &Component,
    (expected, kind): (&str, ItemKind),
    world: &World,
) -> Option<Diagnostic> {
    let name = component.name();
    let Some(export) = version_track::find(expected, component.exports()) else {
        let diagnostic = match other_track(expected, component.exports()) {
            Some(other) => Diagnostic::error(
                Code::MissingExport,
                format!(
                    "the world expects the export `{expected}`, and `{name}` has `{other}`, which \
                     is on another version track"
                ),
                "build it against the version of the world",
            )
            .among([other]),
            None => Diagnostic::error(
                Code::MissingExport,
                format!("`{name}` does not export `{expected}`, which the world expects"),
                "compose with a root that exports it",
            ),
        };
        return Some(diagnostic.about(expected));
    };
    let found = *component.world().exports.get(export)?;
    let mismatches = type_mismatches(expected, (world.types(), kind), (component.types(), found));
    (!mismatches.is_empty()).then(|| {
        Diagnostic::error(
            Code::DifferentExport,
            format!(
                "`{name}` exports `{export}`, which does not match `{expected}` of the world: {}",
                join(&mismatches)
            ),
            "build the component against the world",
        )
        .about(export)
        .among([expected])
    })
}

/// The remedy for an import that the world lacks.
fn remedy(interface: &str) -> &'static str {
    if version_track::same_track(interface, "wasi:cli/environment@0.2.0") {
        "link the component that `component-compose env` makes"
    } else {
        "link a component that exports it"
    }
}

fn other_track<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    names
        .into_iter()
        .find(|other| version_track::same_interface_on_other_track(name, other))
}
