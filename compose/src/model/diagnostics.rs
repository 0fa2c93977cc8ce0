//! Findings that several stages report.

use super::component::Component;
use super::component_error::ComponentError;
use super::report::{Code, Diagnostic, quoted};

/// Two components, or two exports, share a name.
pub(crate) fn duplicate_component(name: &str) -> Diagnostic {
    Diagnostic::error(
        Code::DuplicateName,
        format!("duplicate component name `{name}`"),
        "rename one of the components",
    )
    .among([name])
}

/// `name` is not the name of any of the `known` components.
pub(crate) fn unknown_component<N: AsRef<str>>(
    name: &str,
    known: impl IntoIterator<Item = N>,
) -> Diagnostic {
    let known: Vec<String> = known
        .into_iter()
        .map(|name| name.as_ref().to_owned())
        .collect();
    let fix = if known.is_empty() {
        "no components are given".to_owned()
    } else {
        format!("known components: {}", quoted(&known))
    };
    Diagnostic::error(
        Code::UnknownComponent,
        format!("unknown component `{name}`"),
        fix,
    )
    .among(known)
}

/// `provider` lacks the export `wanted`.
pub(crate) fn missing_export(provider: &Component, wanted: &str) -> Diagnostic {
    let exports: Vec<&str> = provider.exports().collect();
    let name = provider.name();
    Diagnostic::error(
        Code::MissingExport,
        format!("`{name}` does not export `{wanted}`"),
        choose_from("name one of its exports", &exports),
    )
    .about(wanted)
    .among(exports)
}

/// A remedy, followed by the names to choose from.
pub(crate) fn choose_from(remedy: &str, names: &[&str]) -> String {
    if names.is_empty() {
        format!("{remedy}; it has none")
    } else {
        format!("{remedy}: {}", quoted(names))
    }
}

/// An import and an export of one interface on different version tracks.
pub(crate) fn other_track(
    (importer, import): (&str, &str),
    (provider, export): (&str, &str),
) -> Diagnostic {
    let fix = if import.starts_with("wasi:cli/environment@") {
        "generate the environment with `component-compose env --for` and the importer"
    } else {
        "build both against the same version"
    };
    Diagnostic::error(
        Code::VersionTrack,
        format!(
            "`{importer}` imports `{import}`, and `{provider}` exports `{export}`, which is on \
             another version track and not compatible"
        ),
        fix,
    )
    .of_import(importer, import)
    .among([provider])
}

/// `wac` failed to encode the composition, for `reason`.
pub(crate) fn not_encodable(reason: &str) -> Diagnostic {
    Diagnostic::error(
        Code::NotEncodable,
        format!("`wac`, which encodes compositions, cannot encode this one: {reason}"),
        "leave components out one by one to find the one that causes it",
    )
}

/// The component `name` has no parts.
pub(crate) fn not_composed(name: &str) -> Diagnostic {
    Diagnostic::error(
        Code::UnknownComponent,
        format!("`{name}` is not a composition: it has no parts"),
        "name a component that was composed",
    )
}

/// A part of a composition is not a component that can be composed.
pub(crate) fn unusable_part(error: &ComponentError) -> Diagnostic {
    Diagnostic::error(
        Code::NotEncodable,
        error.to_string(),
        "compose it again from parts that are valid by themselves",
    )
}
