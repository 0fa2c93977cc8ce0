//! Whether a component runs on a host of a given world.

use std::fmt;

use crate::component::Component;
use crate::difference::{Difference, differences, join};
use crate::version_track;
use crate::world::World;

/// What [`check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The name of the component.
    pub component: String,
    /// The name of the world.
    pub world: String,
    /// Every import of the component.
    pub imports: Vec<String>,
    /// What keeps the component from running; nothing if it runs.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether the component runs on every host of the world.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.findings.is_empty()
    }
}

/// One reason why a component does not run on a host of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The component imports what the world does not offer.
    SuperfluousImport {
        /// The interface, as the component imports it.
        interface: String,
        /// The same interface on another version track, if the world has it.
        other_track: Option<String>,
    },
    /// The component imports an interface of the world, but uses it differently.
    DifferentImport {
        /// The interface, as the component imports it.
        interface: String,
        /// The interface, as the world has it.
        offered: String,
        /// What is different.
        differences: Vec<Difference>,
    },
    /// The component lacks an export that the world expects.
    MissingExport {
        /// The interface, as the world has it.
        interface: String,
        /// The same interface on another version track, if the component has it.
        other_track: Option<String>,
    },
    /// The component exports an interface of the world, but with other types.
    DifferentExport {
        /// The interface, as the component exports it.
        interface: String,
        /// The interface, as the world has it.
        expected: String,
        /// What is different.
        differences: Vec<Difference>,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SuperfluousImport {
                interface,
                other_track: Some(other),
            } => write!(
                f,
                "superfluous import `{interface}`: the world has `{other}`, on another version \
                 track; build the component against that version"
            ),
            Self::SuperfluousImport { interface, .. } => {
                write!(f, "superfluous import `{interface}`: {}", remedy(interface))
            }
            Self::DifferentImport {
                interface,
                offered,
                differences,
            } => write!(
                f,
                "import `{interface}` does not fit `{offered}` of the world: {}",
                join(differences)
            ),
            Self::MissingExport {
                interface,
                other_track: Some(other),
            } => write!(
                f,
                "missing export `{interface}`: the component exports `{other}`, on another \
                 version track; build it against that of the world"
            ),
            Self::MissingExport { interface, .. } => write!(
                f,
                "missing export `{interface}`: compose with a root that exports it"
            ),
            Self::DifferentExport {
                interface,
                expected,
                differences,
            } => write!(
                f,
                "export `{interface}` does not fit `{expected}` of the world: {}",
                join(differences)
            ),
        }
    }
}

/// How to get rid of an import.
fn remedy(interface: &str) -> &'static str {
    if version_track::same_track(interface, "wasi:cli/environment@0.2.0") {
        "link the component that `component-compose env` makes"
    } else {
        "link a component that exports it"
    }
}

/// Checks whether `component` runs on a host that offers exactly `world`.
///
/// The component may import less than the world offers and export more than it
/// expects. Versions match on the same track, and every function and type that
/// the component uses is compared, so that a component that needs a function of
/// a later version is found as well.
#[must_use]
pub fn check(component: &Component, world: &World) -> Report {
    let imports = component
        .world()
        .imports
        .iter()
        .filter_map(|(import, kind)| check_import(component, (import, *kind), world));
    let exports = world
        .world()
        .exports
        .iter()
        .filter_map(|(export, kind)| check_export(component, (export, *kind), world));
    Report {
        component: component.name().to_owned(),
        world: world.name().to_owned(),
        imports: component.imports().map(str::to_owned).collect(),
        findings: imports.chain(exports).collect(),
    }
}

fn check_import(
    component: &Component,
    (import, kind): (&str, wac_types::ItemKind),
    world: &World,
) -> Option<Finding> {
    let names = || world.world().imports.keys().map(String::as_str);
    let Some(offered) = version_track::find(import, names()) else {
        return Some(Finding::SuperfluousImport {
            interface: import.to_owned(),
            other_track: other_track(import, names()),
        });
    };
    let offered_kind = *world.world().imports.get(offered)?;
    let differences = differences(
        import,
        (component.types(), kind),
        (world.types(), offered_kind),
    );
    (!differences.is_empty()).then(|| Finding::DifferentImport {
        interface: import.to_owned(),
        offered: offered.to_owned(),
        differences,
    })
}

fn check_export(
    component: &Component,
    (expected, kind): (&str, wac_types::ItemKind),
    world: &World,
) -> Option<Finding> {
    let Some(export) = version_track::find(expected, component.exports()) else {
        return Some(Finding::MissingExport {
            interface: expected.to_owned(),
            other_track: other_track(expected, component.exports()),
        });
    };
    let found = *component.world().exports.get(export)?;
    let differences = differences(expected, (world.types(), kind), (component.types(), found));
    (!differences.is_empty()).then(|| Finding::DifferentExport {
        interface: export.to_owned(),
        expected: expected.to_owned(),
        differences,
    })
}

fn other_track<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    names
        .into_iter()
        .find(|other| version_track::same_interface_on_other_track(name, other))
        .map(str::to_owned)
}
