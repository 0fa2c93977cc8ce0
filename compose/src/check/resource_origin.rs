//! Resources that two sides expect from different definitions.
//!
//! A resource is identified by its defining component, not by its name. An interface often
//! uses a resource of another one, as `wasi:http/types` uses the streams of
//! `wasi:io/streams`, and then both must have the same origin. `wac` compares only names;
//! the validator detects the mismatch, but reports indices. This module reports names.

use std::collections::HashMap;
use std::fmt;

use wac_types::{Interface, InterfaceId, ItemKind, Type};

use crate::model::component::Component;
use crate::model::composition::Wire;
use crate::model::plan::{Components, Plan};
use crate::model::report::{Code, Diagnostic};
use crate::model::version_track;

/// The definition of a resource.
#[derive(Debug, PartialEq, Eq)]
enum Origin {
    /// The host, which provides this interface to the composition.
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

/// The components of a plan, and its wires by importer and import.
#[derive(Clone, Copy)]
struct Wired<'p, 'c> {
    components: &'p Components<'c>,
    wires: &'p HashMap<(&'p str, &'p str), &'p Wire>,
}

/// The imports that are satisfied with resources of another origin than the importer
/// expects.
pub(crate) fn origin_mismatches(plan: &Plan, components: &Components<'_>) -> Vec<Diagnostic> {
    let wires = plan.wires.iter();
    let wires = wires.map(|wire| ((wire.importer.as_str(), wire.import.as_str()), wire));
    let wires: HashMap<_, _> = wires.collect();
    let plan = Wired {
        components,
        wires: &wires,
    };
    let mut diagnostics = Vec::new();
    for importer in components.values() {
        for (import, kind) in &importer.world().imports {
            let Some(interface) = instance(*kind) else {
                continue;
            };
            let mut resources = resources(&importer.types()[interface]);
            diagnostics
                .extend(resources.find_map(|resource| plan.mismatch(importer, import, resource)));
        }
    }
    diagnostics
}

impl<'c> Wired<'_, 'c> {
    fn mismatch(self, importer: &'c Component, import: &str, resource: &str) -> Option<Diagnostic> {
        let expected = self.imported(importer, import, resource)?;
        let found = self.provided(importer, import, resource)?;
        if same(&expected, &found) {
            return None;
        }
        let name = importer.name();
        Some(
            Diagnostic::error(
                Code::ResourceOrigin,
                format!(
                    "`{name}` expects the resource `{resource}` of its import `{import}` to be \
                     {expected}, but it is {found}"
                ),
                "provide both interfaces from the same component or host",
            )
            .of_import(name, import)
            .among([expected.to_string(), found.to_string()]),
        )
    }

    /// The resource that `component` expects in its import.
    fn imported(self, component: &'c Component, import: &str, resource: &str) -> Option<Origin> {
        let interface = &component.types()[instance(*component.world().imports.get(import)?)?];
        match interface.uses.get(resource) {
            Some(used) => {
                let resource = used.name.as_deref().unwrap_or(resource);
                let import = name_of_import(component, used.interface)?;
                self.imported(component, import, resource)
            }
            None => self.provided(component, import, resource),
        }
    }

    /// The resource that the provider of the import passes to `component`.
    fn provided(self, component: &'c Component, import: &str, resource: &str) -> Option<Origin> {
        let Some(wire) = self.wires.get(&(component.name(), import)) else {
            return from_host(component, import, resource);
        };
        let provider = self.components.get(wire.provider.as_str())?;
        self.exported(provider, &wire.export, resource)
    }

    /// The resource that `component` exports.
    fn exported(self, component: &'c Component, export: &str, resource: &str) -> Option<Origin> {
        let id = instance(*component.world().exports.get(export)?)?;
        // A re-exported import keeps its type.
        if let Some(import) = name_of_import(component, id) {
            return self.imported(component, import, resource);
        }
        match component.types()[id].uses.get(resource) {
            Some(used) => {
                let resource = used.name.as_deref().unwrap_or(resource);
                if let Some(import) = name_of_import(component, used.interface) {
                    return self.imported(component, import, resource);
                }
                let mut exports = component.world().exports.iter();
                let (export, _) =
                    exports.find(|(_, kind)| instance(**kind) == Some(used.interface))?;
                self.exported(component, export, resource)
            }
            None => Some(Origin::Component {
                name: component.name().to_owned(),
                interface: export.to_owned(),
            }),
        }
    }
}

/// The resource of an unresolved import: the host's interface uses interfaces of the host,
/// even if the component imports those from another component.
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

fn same(a: &Origin, b: &Origin) -> bool {
    match (a, b) {
        (Origin::Host { interface: a }, Origin::Host { interface: b }) => {
            version_track::same_track(a, b)
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
