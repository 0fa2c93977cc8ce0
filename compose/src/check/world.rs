//! Compatibility of a component with a world.

use wac_types::ItemKind;

use super::type_mismatch::{join, type_mismatches};
use super::wasi_release::{
    ENVIRONMENT_0_2, ENVIRONMENT_0_3, HANDLER_0_3, is_made_for, other_release, world_of,
};
use crate::model::component::Component;
use crate::model::report::{Code, Diagnostic, Report};
use crate::model::version_track::{self, same_track};
use crate::wit::world::World;
use crate::wit::world_name::WorldName;

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
                other_release_remedy(component, import, world)
                    .unwrap_or_else(|| "build the component against that version".to_owned()),
            )
            .among([other]),
            None => Diagnostic::error(
                Code::SuperfluousImport,
                format!("`{name}` imports `{import}`, which the world does not have"),
                remedy(component, import, world),
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
                match world_of(component) {
                    Some((own, export)) if !is_made_for(component, world) => {
                        format!("it exports `{export}`: check it against the world `{own}`")
                    }
                    _ => "compose with a root that exports it".to_owned(),
                },
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
fn remedy(component: &Component, import: &str, world: &World) -> String {
    let other_release = other_release_remedy(component, import, world);
    let is_other_world = other_release.is_some() && !is_made_for(component, world);
    if let Some(command) = environment_command(import).filter(|_| !is_other_world) {
        return format!("link the component that `{command}` makes");
    }
    match (other_release, world_of(component)) {
        (Some(remedy), _) => remedy,
        (None, Some((own @ WorldName::Middleware, _))) if same_track(import, HANDLER_0_3) => {
            format!("check it against the world `{own}`, or link a component that exports it")
        }
        (None, _) => "link a component that exports it".to_owned(),
    }
}

/// The command that makes a component for `import`, if it is an environment.
fn environment_command(import: &str) -> Option<&'static str> {
    if same_track(import, ENVIRONMENT_0_2) {
        Some("component-compose env")
    } else {
        same_track(import, ENVIRONMENT_0_3).then_some("component-compose env --for")
    }
}

/// The remedy for an import of another release of WASI than that of the world.
fn other_release_remedy(component: &Component, import: &str, world: &World) -> Option<String> {
    let release = other_release(import, world)?;
    if is_made_for(component, world) {
        return Some(format!(
            "build the part that imports it for the release of WASI of this world, or run it on a \
             host that also provides WASI {release}"
        ));
    }
    let (own, _) = world_of(component)?;
    Some(format!(
        "check it against the world `{own}`, or build it for the release of WASI of this world"
    ))
}

fn other_track<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    names
        .into_iter()
        .find(|other| version_track::same_interface_on_other_track(name, other))
}
