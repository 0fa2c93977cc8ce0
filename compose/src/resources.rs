//! Finds out why resources of a composition do not match.
//!
//! A resource has an identity besides its name: who defines it. An interface
//! often uses a resource of another one, as `wasi:http/types` uses the streams of
//! `wasi:io/streams`, and then both must come from the same place. `wac` compares
//! names only; the validator finds the clash, but speaks of indices. This module
//! finds the words for it.

use std::fmt;

use wac_types::{Interface, InterfaceId, ItemKind, Type};

use crate::component::Component;
use crate::link::LinkError;
use crate::plan::Plan;

/// Who defines a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Whoever provides the composition with this interface.
    Host {
        /// The interface that defines the resource.
        interface: String,
    },
    /// A component of the composition.
    Component {
        /// Its name.
        name: String,
        /// The interface that defines the resource.
        interface: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { interface } => write!(f, "the one of the host's `{interface}`"),
            Self::Component { name, interface } => {
                write!(f, "the one of `{interface}` in `{name}`")
            }
        }
    }
}

/// The first import that gets an interface with other resources than it expects.
pub(crate) fn explain_clash(plan: &Plan<'_>) -> Option<LinkError> {
    plan.components
        .iter()
        .find_map(|importer| clash_in(plan, importer))
}

fn clash_in(plan: &Plan<'_>, importer: &Component) -> Option<LinkError> {
    importer.world().imports.iter().find_map(|(import, kind)| {
        let interface = &importer.types()[instance(*kind)?];
        resources(interface).find_map(|resource| {
            let expected = imported(plan, importer, import, resource)?;
            let found = provided(plan, importer, import, resource)?;
            (!same(&expected, &found)).then(|| LinkError::ResourceClash {
                importer: importer.name().to_owned(),
                import: import.clone(),
                resource: resource.to_owned(),
                expected: Box::new(expected),
                found: Box::new(found),
            })
        })
    })
}

/// The resource that `component` expects in its import.
fn imported(
    plan: &Plan<'_>,
    component: &Component,
    import: &str,
    resource: &str,
) -> Option<Origin> {
    let interface = &component.types()[instance(*component.world().imports.get(import)?)?];
    match interface.uses.get(resource) {
        Some(used) => {
            let resource = used.name.as_deref().unwrap_or(resource);
            let import = name_of_import(component, used.interface)?;
            imported(plan, component, import, resource)
        }
        None => provided(plan, component, import, resource),
    }
}

/// The resource that `component` gets in its import.
fn provided(
    plan: &Plan<'_>,
    component: &Component,
    import: &str,
    resource: &str,
) -> Option<Origin> {
    let mut wires = plan.wires.iter();
    let wire = wires.find(|wire| wire.importer == component.name() && wire.import == import);
    let Some(wire) = wire else {
        return from_host(component, import, resource);
    };
    let mut components = plan.components.iter();
    let provider = components.find(|component| component.name() == wire.provider)?;
    exported(plan, provider, &wire.export, resource)
}

/// The resource of an interface that stays open: its host uses interfaces of the
/// host, whatever the component gets for those from elsewhere.
fn from_host(component: &Component, import: &str, resource: &str) -> Option<Origin> {
    let interface = &component.types()[instance(*component.world().imports.get(import)?)?];
    match interface.uses.get(resource) {
        Some(used) => {
            let resource = used.name.as_deref().unwrap_or(resource);
            from_host(
                component,
                name_of_import(component, used.interface)?,
                resource,
            )
        }
        None => Some(Origin::Host {
            interface: import.to_owned(),
        }),
    }
}

/// The resource that `component` exports.
fn exported(
    plan: &Plan<'_>,
    component: &Component,
    export: &str,
    resource: &str,
) -> Option<Origin> {
    let id = instance(*component.world().exports.get(export)?)?;
    // An import that is exported again keeps its type.
    if let Some(import) = name_of_import(component, id) {
        return imported(plan, component, import, resource);
    }
    match component.types()[id].uses.get(resource) {
        Some(used) => {
            let resource = used.name.as_deref().unwrap_or(resource);
            if let Some(import) = name_of_import(component, used.interface) {
                return imported(plan, component, import, resource);
            }
            let mut exports = component.world().exports.iter();
            let (export, _) = exports.find(|(_, kind)| instance(**kind) == Some(used.interface))?;
            exported(plan, component, export, resource)
        }
        None => Some(Origin::Component {
            name: component.name().to_owned(),
            interface: export.to_owned(),
        }),
    }
}

fn same(a: &Origin, b: &Origin) -> bool {
    match (a, b) {
        (Origin::Host { interface: a }, Origin::Host { interface: b }) => {
            crate::version_track::same_track(a, b)
        }
        _ => a == b,
    }
}

fn instance(kind: ItemKind) -> Option<InterfaceId> {
    match kind {
        ItemKind::Instance(id) => Some(id),
        _ => None,
    }
}

fn resources(interface: &Interface) -> impl Iterator<Item = &str> {
    interface
        .exports
        .iter()
        .filter(|(_, kind)| matches!(kind, ItemKind::Type(Type::Resource(_))))
        .map(|(name, _)| name.as_str())
}

fn name_of_import(component: &Component, id: InterfaceId) -> Option<&str> {
    let mut imports = component.world().imports.iter();
    imports
        .find(|(_, kind)| instance(**kind) == Some(id))
        .map(|(name, _)| name.as_str())
}
