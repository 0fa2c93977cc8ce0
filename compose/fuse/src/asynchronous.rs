//! Components with asynchronous parts, such as those of WASI 0.3: which parts prevent fusing, and
//! which of the others can be fused before they are linked with these.
//!
//! A synchronous call between two parts is a call of a function. An asynchronous one makes tasks,
//! which the host schedules, and a stream or a future belongs to the table of handles of one
//! instance: neither remains when all parts are one instance.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use compose::{
    AsyncInterfaces, Component, Composition, Export, Plan, PlannedComponent, extract,
    is_asynchronous,
};

/// The asynchronous parts of a component.
#[derive(Debug, Clone)]
pub struct AsyncParts {
    /// The parts, sorted by name; at least one.
    pub parts: Vec<AsyncPart>,
    /// Whether the component is a composition, and not its only part.
    pub is_composition: bool,
    /// The most other parts that can be fused before linking, if there are at least two.
    pub fusible: Option<FusibleParts>,
}

/// A part with asynchronous features.
#[derive(Debug, Clone)]
pub struct AsyncPart {
    /// Its name.
    pub name: String,
    /// The imports with async functions, streams or futures, with these words.
    pub imports: Vec<(String, String)>,
    /// The same of the exports.
    pub exports: Vec<(String, String)>,
}

/// Parts of a component that can be fused by themselves.
#[derive(Debug, Clone)]
pub struct FusibleParts {
    /// The part that provides exports to asynchronous parts.
    pub root: String,
    /// The parts that it depends on.
    pub others: Vec<String>,
}

impl AsyncParts {
    /// The asynchronous parts of `component`; `None` if it has none.
    pub(crate) fn find(component: &Component) -> Option<Self> {
        if !is_asynchronous(component) {
            return None;
        }
        let composition = Composition::expanded(component);
        let mut parts = BTreeMap::new();
        for node in &composition.nodes {
            let part = extract(component, &node.name).ok();
            let part = part.and_then(|bytes| Component::new(&node.name, bytes).ok());
            parts.extend(part.map(|part| (node.name.as_str(), part)));
        }
        let (asynchronous, synchronous): (BTreeMap<_, _>, BTreeMap<_, _>) = parts
            .into_iter()
            .partition(|(_, part)| is_asynchronous(part));
        let is_composition = !asynchronous.is_empty();
        let found = asynchronous.values().map(AsyncPart::new);
        Some(Self {
            parts: if is_composition {
                found.collect()
            } else {
                vec![AsyncPart::new(component)]
            },
            is_composition,
            fusible: FusibleParts::find(&composition, &synchronous),
        })
    }
}

impl AsyncPart {
    fn new(part: &Component) -> Self {
        let interfaces = AsyncInterfaces::of([part]);
        let with_words = |name: &str| Some((name.to_owned(), interfaces.get(name)?.to_string()));
        Self {
            name: part.name().to_owned(),
            imports: part.imports().filter_map(with_words).collect(),
            exports: part.exports().filter_map(with_words).collect(),
        }
    }
}

impl FusibleParts {
    /// The largest set of `parts` that one of them reaches and that can be fused.
    fn find(composition: &Composition, parts: &BTreeMap<&str, Component>) -> Option<Self> {
        let mut candidates: Vec<(&str, BTreeSet<&str>)> = parts
            .keys()
            .map(|root| (*root, reached_from(root, composition)))
            .filter(|(_, reached)| reached.len() > 1)
            .filter(|(_, reached)| reached.iter().all(|part| parts.contains_key(part)))
            .filter(|(root, reached)| is_used_through(root, reached, composition))
            .collect();
        candidates.sort_by_key(|(_, reached)| std::cmp::Reverse(reached.len()));
        let (root, reached) = candidates
            .into_iter()
            .find(|(root, reached)| can_be_fused(root, reached, composition, parts))?;
        let others = reached.into_iter().filter(|part| *part != root);
        Some(Self {
            root: root.to_owned(),
            others: others.map(str::to_owned).collect(),
        })
    }
}

/// The part `root` and all parts that it depends on.
fn reached_from<'c>(root: &'c str, composition: &'c Composition) -> BTreeSet<&'c str> {
    let mut reached = BTreeSet::new();
    let mut next = vec![root];
    while let Some(name) = next.pop() {
        if reached.insert(name) {
            let wires = composition.wires.iter();
            let wires = wires.filter(|wire| wire.importer == name);
            next.extend(wires.map(|wire| wire.provider.as_str()));
        }
    }
    reached
}

/// Whether everything outside of `reached` uses only exports of `root`.
fn is_used_through(root: &str, reached: &BTreeSet<&str>, composition: &Composition) -> bool {
    let wires = composition.wires.iter();
    let wires = wires.filter(|wire| !reached.contains(wire.importer.as_str()));
    let exports = composition.exports.iter().map(|export| &export.provider);
    let mut providers = wires.map(|wire| &wire.provider).chain(exports);
    providers.all(|provider| provider == root || !reached.contains(provider.as_str()))
}

fn can_be_fused(
    root: &str,
    reached: &BTreeSet<&str>,
    composition: &Composition,
    parts: &BTreeMap<&str, Component>,
) -> bool {
    let components = || reached.iter().filter_map(|name| parts.get(name));
    let wires = composition.wires.iter();
    let exports = parts.get(root).into_iter().flat_map(Component::exports);
    let plan = Plan {
        name: root.to_owned(),
        components: components().map(PlannedComponent::new).collect(),
        wires: wires
            .filter(|wire| reached.contains(wire.importer.as_str()))
            .cloned()
            .collect(),
        exports: exports
            .map(|name| Export {
                name: name.to_owned(),
                provider: root.to_owned(),
                export: name.to_owned(),
            })
            .collect(),
    };
    plan.encode(components())
        .ok()
        .and_then(|composed| Component::new(root, composed.bytes).ok())
        .is_some_and(|component| crate::fuse(&component).is_ok())
}

/// The text of the error after `cannot be fused: `.
impl fmt::Display for AsyncParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            f.write_str(separator)?;
            if self.is_composition {
                write!(f, "its part `{}` ", part.name)?;
            } else {
                f.write_str("it ")?;
            }
            write!(f, "{part}")?;
        }
        f.write_str("; fusing supports synchronous calls only, and not those of WASI 0.3; ")?;
        let Some(FusibleParts { root, others }) = &self.fusible else {
            return f.write_str("use the component without fusing");
        };
        write!(
            f,
            "use the component without fusing, or fuse its parts of WASI 0.2 before linking: link \
             `{root}` with {}, fuse the result, and link it in place of these parts",
            in_words(others.iter().map(|part| format!("`{part}`")))
        )
    }
}

impl fmt::Display for AsyncPart {
    /// A clause about the interfaces, without a subject.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |verb: &str, interfaces: &[(String, String)]| {
            let names = interfaces
                .iter()
                .map(|(name, words)| format!("`{name}` ({words})"));
            (!interfaces.is_empty()).then(|| format!("{verb} {}", in_words(names)))
        };
        let clauses: Vec<String> = listed("imports", &self.imports)
            .into_iter()
            .chain(listed("exports", &self.exports))
            .collect();
        if clauses.is_empty() {
            return f.write_str("uses asynchronous functions of the component model");
        }
        f.write_str(&clauses.join(", and "))
    }
}

/// A list such as `a, b and c`.
fn in_words(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.as_slice() {
        [items @ .., last] if !items.is_empty() => format!("{} and {last}", items.join(", ")),
        items => items.join(", "),
    }
}
