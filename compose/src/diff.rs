//! What is different between two compositions.

use std::collections::BTreeSet;
use std::fmt;

use sanitize::line;
use serde::Serialize;

use crate::structure::{Part, Structure, Wire};

/// The differences from one composition to another. Each list is sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Parts that only the second has.
    pub parts_added: Vec<Part>,
    /// Parts that only the first has.
    pub parts_removed: Vec<Part>,
    /// Parts that both have under one name, but with other bytes.
    pub parts_changed: Vec<ChangedPart>,
    /// Wires that only the second has.
    pub wires_added: Vec<Wire>,
    /// Wires that only the first has.
    pub wires_removed: Vec<Wire>,
    /// What only the second imports from its host.
    pub imports_added: Vec<String>,
    /// What only the first imports from its host.
    pub imports_removed: Vec<String>,
    /// What only the second exports.
    pub exports_added: Vec<String>,
    /// What only the first exports.
    pub exports_removed: Vec<String>,
}

/// A part that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedPart {
    /// The part of the first composition.
    pub before: Part,
    /// The part of the second.
    pub after: Part,
}

impl Diff {
    /// Whether there is no difference.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares two compositions part by part.
#[must_use]
pub fn diff(before: &Structure, after: &Structure) -> Diff {
    let find = |structure: &Structure, name: &str| {
        let mut parts = structure.parts.iter();
        parts.find(|part| part.name == name).cloned()
    };
    let changed = before.parts.iter().filter_map(|part| {
        let after = find(after, &part.name)?;
        (after.sha256 != part.sha256).then(|| ChangedPart {
            before: part.clone(),
            after,
        })
    });
    let only_in = |structure: &Structure, other: &Structure| {
        let parts = structure.parts.iter();
        let only = parts.filter(|part| find(other, &part.name).is_none());
        only.cloned().collect()
    };
    let exports = |structure: &Structure| -> Vec<String> {
        let names = structure.exports.iter().map(|export| export.name.clone());
        names.collect()
    };
    Diff {
        parts_added: only_in(after, before),
        parts_removed: only_in(before, after),
        parts_changed: changed.collect(),
        wires_added: without(&after.wires, &before.wires),
        wires_removed: without(&before.wires, &after.wires),
        imports_added: without(&after.host_imports, &before.host_imports),
        imports_removed: without(&before.host_imports, &after.host_imports),
        exports_added: without(&exports(after), &exports(before)),
        exports_removed: without(&exports(before), &exports(after)),
    }
}

fn without<T: Ord + Clone>(items: &[T], others: &[T]) -> Vec<T> {
    let items: BTreeSet<&T> = items.iter().collect();
    let others: BTreeSet<&T> = others.iter().collect();
    items.difference(&others).copied().cloned().collect()
}

/// One line for each difference: `+` is new, `-` is gone, `~` has changed.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts_removed {
            writeln!(f, "- part {part}")?;
        }
        for part in &self.parts_added {
            writeln!(f, "+ part {part}")?;
        }
        for ChangedPart { before, after } in &self.parts_changed {
            let after = line(after.size_and_digest());
            writeln!(f, "~ part {before} is now {after}")?;
        }
        let wires = |wires: &[Wire]| wires.iter().map(|wire| format!("wire {wire}")).collect();
        let names = |kind: &str, names: &[String]| {
            let names = names.iter().map(|name| format!("{kind} {}", line(name)));
            names.collect()
        };
        let rest: [(char, Vec<String>); 6] = [
            ('-', wires(&self.wires_removed)),
            ('+', wires(&self.wires_added)),
            ('-', names("import", &self.imports_removed)),
            ('+', names("import", &self.imports_added)),
            ('-', names("export", &self.exports_removed)),
            ('+', names("export", &self.exports_added)),
        ];
        for (sign, lines) in rest {
            for text in lines {
                writeln!(f, "{sign} {text}")?;
            }
        }
        Ok(())
    }
}
