//! What is different between an item as it is imported and as it is offered.

use std::collections::HashSet;
use std::fmt;

use wac_types::{InterfaceId, ItemKind, SubtypeChecker, Types};

use crate::signature::Signatures;

/// One reason why an offered item cannot stand in for an imported one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Difference {
    /// The offered interface has no such item.
    Missing {
        /// The item as it is expected, written as in WIT.
        expected: String,
    },
    /// The offered interface has the item with another type.
    Differs {
        /// The item as it is expected, written as in WIT.
        expected: String,
        /// The item as it is offered, written as in WIT.
        found: String,
    },
    /// The item looks the same, and the difference is inside its types.
    Inside {
        /// The item, written as in WIT.
        item: String,
        /// Where the difference is.
        reason: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { expected } => write!(f, "`{expected}` is missing"),
            Self::Differs { expected, found } => {
                write!(f, "expected `{expected}`, found `{found}`")
            }
            Self::Inside { item, reason } => write!(f, "`{item}` differs: {reason}"),
        }
    }
}

impl Difference {
    /// Whether one side is asynchronous, and the other, equal to it otherwise, is
    /// not.
    pub(crate) fn is_only_async(&self) -> bool {
        let Self::Differs { expected, found } = self else {
            return false;
        };
        let synchronous = |item: &str| item.replacen("async func(", "func(", 1);
        synchronous(expected) == synchronous(found)
    }
}

/// The differences as one line.
pub(crate) fn join(differences: &[Difference]) -> String {
    let lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// Everything that keeps `offered` from being used where `name: expected` is
/// wanted. Nothing if it can be used.
///
/// An interface may offer more than is expected. Functions and types must be
/// equal; resources are compared by name, because which resource it is shows
/// only when components are put together.
pub(crate) fn differences(
    name: &str,
    (expected_types, expected): (&Types, ItemKind),
    (offered_types, offered): (&Types, ItemKind),
) -> Vec<Difference> {
    let expected = expected.promote();
    let offered = offered.promote();
    let Err(reason) = fits((offered_types, offered), (expected_types, expected)) else {
        return Vec::new();
    };
    if let (ItemKind::Instance(expected), ItemKind::Instance(offered)) = (expected, offered) {
        let found = in_interface((expected_types, expected), (offered_types, offered));
        if !found.is_empty() {
            return found;
        }
    }
    let expected = Signatures::new(expected_types, None).item(name, expected);
    let found = Signatures::new(offered_types, None).item(name, offered);
    vec![different(expected, found, reason)]
}

fn in_interface(
    (expected_types, expected): (&Types, InterfaceId),
    (offered_types, offered): (&Types, InterfaceId),
) -> Vec<Difference> {
    let as_expected = Signatures::new(expected_types, Some(expected));
    let as_offered = Signatures::new(offered_types, Some(offered));
    let mut differences = Vec::new();
    // Differences that only repeat one of a type that is listed already.
    let mut repeated = Vec::new();

    for (name, kind) in &expected_types[expected].exports {
        let item = as_expected.item(name, *kind);
        let Some(offered) = offered_types[offered].exports.get(name) else {
            differences.push(Difference::Missing { expected: item });
            continue;
        };
        if let Err(reason) = fits((offered_types, *offered), (expected_types, *kind)) {
            match different(item, as_offered.item(name, *offered), reason) {
                inside @ Difference::Inside { .. } => repeated.push(inside),
                difference => differences.push(difference),
            }
        }
    }
    if differences.is_empty() {
        repeated
    } else {
        differences
    }
}

fn different(expected: String, found: String, reason: String) -> Difference {
    if expected == found {
        Difference::Inside {
            item: expected,
            reason,
        }
    } else {
        Difference::Differs { expected, found }
    }
}

fn fits(
    (offered_types, offered): (&Types, ItemKind),
    (expected_types, expected): (&Types, ItemKind),
) -> Result<(), String> {
    // A cache of its own: its keys are only unique within one pair of `Types`.
    let mut cache = HashSet::new();
    SubtypeChecker::new(&mut cache)
        .is_subtype(offered, offered_types, expected, expected_types)
        .map_err(|error| format!("{error:#}"))
}
