//! Differences of two compositions.

use std::collections::BTreeSet;
use std::fmt;

use sanitize::line;
use serde::Serialize;

use crate::model::composition::{Composition, Node, Wire};

/// The differences from one composition to another. Each list is sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Parts of the second composition only.
    pub parts_added: Vec<Node>,
    /// Parts of the first composition only.
    pub parts_removed: Vec<Node>,
    /// Parts with the same name and different bytes.
    pub parts_changed: Vec<ChangedPart>,
    /// Wires of the second composition only.
    pub wires_added: Vec<Wire>,
    /// Wires of the first composition only.
    pub wires_removed: Vec<Wire>,
    /// Host imports of the second composition only.
    pub imports_added: Vec<String>,
    /// Host imports of the first composition only.
    pub imports_removed: Vec<String>,
    /// Exports of the second composition only.
    pub exports_added: Vec<String>,
    /// Exports of the first composition only.
    pub exports_removed: Vec<String>,
}

/// A part whose bytes differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedPart {
    /// The part of the first composition.
    pub before: Node,
    /// The part of the second.
    pub after: Node,
}

impl Diff {
    /// Whether the compositions are equal, as far as this compares them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares two compositions part by part.
#[must_use]
pub fn diff(before: &Composition, after: &Composition) -> Diff {
    let find = |composition: &Composition, name: &str| {
        let mut parts = composition.nodes.iter();
        parts.find(|part| part.name == name).cloned()
    };
    let changed = before.nodes.iter().filter_map(|part| {
        let after = find(after, &part.name)?;
        (after.sha256 != part.sha256).then(|| ChangedPart {
            before: part.clone(),
            after,
        })
    });
    let only_in = |composition: &Composition, other: &Composition| {
        let parts = composition.nodes.iter();
        let only = parts.filter(|part| find(other, &part.name).is_none());
        only.cloned().collect()
    };
    let exports = |composition: &Composition| -> Vec<String> {
        let names = composition.exports.iter().map(|export| export.name.clone());
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

/// One line per difference: `+` added, `-` removed, `~` changed.
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
