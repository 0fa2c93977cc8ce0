//! Plans: compositions as data that can be stored, read and changed before any
//! bytes are encoded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::component::Component;
use super::composition::{Export, Wire, sha256};

/// Which components become instances, how they are wired, and what the composition
/// exports. The composition imports what no wire satisfies.
///
/// [`link`](crate::link()), [`chain`](crate::chain()) and [`swap`](crate::swap())
/// make plans; a plan of any other shape can be written by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The name of the composition, for titles and messages.
    pub name: String,
    /// The components, by names that are unique in the plan. Each becomes one
    /// instance. Components with equal bytes are embedded once.
    pub components: Vec<PlannedComponent>,
    /// The provider of each satisfied import.
    #[serde(default)]
    pub wires: Vec<Wire>,
    /// The exports of the composition.
    pub exports: Vec<Export>,
}

/// A component that a plan requires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedComponent {
    /// Its name within the plan.
    pub name: String,
    /// The path of its file. The library stores it and reads nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The required SHA-256 digest of its bytes, in lower-case hexadecimal digits; `None`
    /// accepts any bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// The components of a plan by their names.
pub(crate) type Components<'c> = BTreeMap<&'c str, &'c Component>;

impl Plan {
    /// The imports of `component` that no wire satisfies.
    pub(crate) fn unresolved_imports<'p, 'c: 'p>(
        &'p self,
        component: &'c Component,
    ) -> impl Iterator<Item = &'c str> + 'p {
        component.imports().filter(move |import| {
            !self
                .wires
                .iter()
                .any(|wire| wire.importer == component.name() && wire.import == *import)
        })
    }
}

impl PlannedComponent {
    /// Requires exactly this component.
    #[must_use]
    pub fn new(component: &Component) -> Self {
        Self {
            name: component.name().to_owned(),
            file: None,
            sha256: Some(sha256(component.bytes())),
        }
    }
}
