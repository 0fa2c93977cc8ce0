//! Checks, before the server listens, that a component can run here.

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Linker, ResourceType, Type, types};
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};

use super::error::{LoadError, MissingImport};

/// The interface that makes a component a server of HTTP, and its function.
const HANDLER: (&str, &str) = ("wasi:http/incoming-handler", "handle");

/// The packages of which this server provides interfaces, each with the version that it
/// has or, where that ends with a dot, those that are compatible with it. Nothing is
/// compatible with a version before a release.
pub(super) const PROVIDED: [(&str, &str); 9] = [
    ("runner:audit", "0.1."),
    ("wasi:cli", "0.2."),
    ("wasi:clocks", "0.2."),
    ("wasi:config", "0.2.0-rc.1"),
    ("wasi:filesystem", "0.2."),
    ("wasi:http", "0.2."),
    ("wasi:io", "0.2."),
    ("wasi:random", "0.2."),
    ("wasi:sockets", "0.2."),
];

/// Checks that `component` serves HTTP and finds in `linker` what it imports.
///
/// # Errors
///
/// Says what is missing, or what has another type than it should have.
pub(super) fn check<T: 'static>(
    component: &Component,
    linker: &Linker<T>,
) -> Result<(), LoadError> {
    let engine = linker.engine();
    let component_type = component.component_type();
    let exports: Vec<_> = component_type
        .exports(engine)
        .map(|(name, _)| name)
        .collect();
    if !exports.iter().any(|name| is_handler(name)) {
        let exports = exports.into_iter().map(ToOwned::to_owned).collect();
        return Err(LoadError::NoHandler(exports));
    }

    let missing: Vec<_> = component_type
        .imports(engine)
        .filter(|(name, _)| !is_provided(name))
        .map(|(name, _)| MissingImport {
            name: name.to_owned(),
            provided: provided_version(name),
        })
        .collect();
    if !missing.is_empty() {
        return Err(LoadError::MissingImports(missing));
    }

    // From here on the resources of the component are those of this server.
    let component_type = linker
        .substituted_component_type(component)
        .map_err(LoadError::Link)?;
    if handler(linker, &component_type).is_some_and(|handler| has_right_type(&handler)) {
        Ok(())
    } else {
        Err(LoadError::OtherHandler)
    }
}

/// Whether this is the handler of WASI 0.2.
fn is_handler(export: &str) -> bool {
    let (interface, version) = export.split_once('@').unwrap_or((export, ""));
    interface == HANDLER.0 && version.starts_with("0.2.")
}

/// Whether this is an interface of a package that this server provides.
fn is_provided(import: &str) -> bool {
    let (_, version) = import.split_once('@').unwrap_or((import, ""));
    track(import).is_some_and(|track| {
        version == track || (track.ends_with('.') && version.starts_with(track))
    })
}

/// The version of the package of this interface that this server provides.
fn provided_version(import: &str) -> Option<&'static str> {
    track(import).map(|track| track.trim_end_matches('.'))
}

fn track(import: &str) -> Option<&'static str> {
    let package = import.split(['/', '@']).next().unwrap_or_default();
    let provided = PROVIDED.iter().find(|&&(name, _)| name == package);
    provided.map(|&(_, track)| track)
}

/// The function that handles requests.
fn handler<T>(linker: &Linker<T>, component: &types::Component) -> Option<ComponentFunc> {
    let engine = linker.engine();
    let (_, export) = component
        .exports(engine)
        .find(|(name, _)| is_handler(name))?;
    let ComponentItem::ComponentInstance(interface) = export.ty else {
        return None;
    };
    match interface.get_export(engine, HANDLER.1)?.ty {
        ComponentItem::ComponentFunc(function) => Some(function),
        _ => None,
    }
}

/// Whether the function takes a request and the place for a response.
fn has_right_type(handler: &ComponentFunc) -> bool {
    let request = ResourceType::host::<HostIncomingRequest>();
    let out = ResourceType::host::<HostResponseOutparam>();
    let parameters: Vec<_> = handler.params().map(|(_, parameter)| parameter).collect();
    parameters == [Type::Own(request), Type::Own(out)] && handler.results().len() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_version_on_the_same_track_is_provided() {
        for import in [
            "wasi:cli/environment@0.2.0",
            "wasi:http/types@0.2.12",
            "wasi:config/store@0.2.0-rc.1",
            "runner:audit/audit-log@0.1.0",
        ] {
            assert!(is_provided(import), "{import}");
        }
    }

    #[test]
    fn other_tracks_and_other_packages_are_not_provided() {
        for import in [
            "wasi:cli/environment@0.3.0",
            "wasi:cli/environment@0.20.0",
            "wasi:cli/environment",
            "wasi:clip/environment@0.2.0",
            "wasi:config/store@0.2.0",
            "wasi:config/store@0.2.0-rc.10",
            "runner:audit/audit-log@0.2.0",
            "read",
        ] {
            assert!(!is_provided(import), "{import}");
        }
    }
}
