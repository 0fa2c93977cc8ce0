//! Mismatches between an imported item and the item offered for it.

use std::collections::HashSet;
use std::fmt;

use wac_types::{InterfaceId, ItemKind, SubtypeChecker, Types};

use super::signature::Signatures;

/// One reason why an offered item does not satisfy an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TypeMismatch {
    /// The offered interface lacks the item.
    Missing {
        /// The expected item, as WIT.
        expected: String,
    },
    /// The offered interface has the item with another type.
    Differs {
        /// The expected item, as WIT.
        expected: String,
        /// The offered item, as WIT.
        found: String,
    },
    /// The item is written the same, and the mismatch is inside its types.
    Nested {
        /// The item, as WIT.
        item: String,
        /// Message of the subtype checker.
        reason: String,
    },
}

impl fmt::Display for TypeMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { expected } => write!(f, "`{expected}` is missing"),
            Self::Differs { expected, found } => {
                write!(f, "expected `{expected}`, found `{found}`")
            }
            Self::Nested { item, reason } => write!(f, "`{item}` differs: {reason}"),
        }
    }
}

impl TypeMismatch {
    /// Whether exactly one side is asynchronous, and the two are equal otherwise.
    pub(crate) fn is_only_async(&self) -> bool {
        let Self::Differs { expected, found } = self else {
            return false;
        };
        let synchronous = |item: &str| item.replacen("async func(", "func(", 1);
        synchronous(expected) == synchronous(found)
    }
}

/// The mismatches on one line.
pub(crate) fn join(mismatches: &[TypeMismatch]) -> String {
    let lines: Vec<String> = mismatches.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// All mismatches of `offered` with the import `name: expected`; empty if it satisfies the
/// import.
///
/// An interface may have more items than expected. Functions and types must be equal;
/// resources are compared by name, because their identity is known only after linking.
pub(crate) fn type_mismatches(
    name: &str,
    (expected_types, expected): (&Types, ItemKind),
    (offered_types, offered): (&Types, ItemKind),
) -> Vec<TypeMismatch> {
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
    vec![mismatch(expected, found, reason)]
}

fn in_interface(
    (expected_types, expected): (&Types, InterfaceId),
    (offered_types, offered): (&Types, InterfaceId),
) -> Vec<TypeMismatch> {
    let as_expected = Signatures::new(expected_types, Some(expected));
    let as_offered = Signatures::new(offered_types, Some(offered));
    let mut mismatches = Vec::new();
    // Mismatches that only repeat one of a type that is listed already.
    let mut repeated = Vec::new();

    for (name, kind) in &expected_types[expected].exports {
        let item = as_expected.item(name, *kind);
        let Some(offered) = offered_types[offered].exports.get(name) else {
            mismatches.push(TypeMismatch::Missing { expected: item });
            continue;
        };
        if let Err(reason) = fits((offered_types, *offered), (expected_types, *kind)) {
            match mismatch(item, as_offered.item(name, *offered), reason) {
                nested @ TypeMismatch::Nested { .. } => repeated.push(nested),
                other => mismatches.push(other),
            }
        }
    }
    if mismatches.is_empty() {
        repeated
    } else {
        mismatches
    }
}

fn mismatch(expected: String, found: String, reason: String) -> TypeMismatch {
    if expected == found {
        TypeMismatch::Nested {
            item: expected,
            reason,
        }
    } else {
        TypeMismatch::Differs { expected, found }
    }
}

fn fits(
    (offered_types, offered): (&Types, ItemKind),
    (expected_types, expected): (&Types, ItemKind),
) -> Result<(), String> {
    // The keys of the cache are unique only within one pair of `Types`.
    let mut cache = HashSet::new();
    SubtypeChecker::new(&mut cache)
        .is_subtype(offered, offered_types, expected, expected_types)
        .map_err(|error| format!("{error:#}"))
}
