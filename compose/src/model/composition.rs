//! A composition as data: the one description that is printed, drawn, compared, verified
//! and rebuilt.

use std::fmt;

use sanitize::line;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::component::Component;

/// The nodes of a composition, and their connections.
///
/// A node describes a part: a component that is embedded and instantiated. In JSON the
/// nodes are `parts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composition {
    /// The name of the composition, for titles and messages.
    pub name: String,
    /// The instantiated components, sorted by name.
    #[serde(rename = "parts")]
    pub nodes: Vec<Node>,
    /// Every import that another node satisfies, in breadth-first order from the exports.
    pub wires: Vec<Wire>,
    /// Every import of a node that the host has to satisfy, sorted.
    pub imports: Vec<Import>,
    /// The exports of the composition, sorted.
    pub exports: Vec<Export>,
    /// All imports of the composition, sorted. In addition to the names in [`imports`],
    /// these may be interfaces of which a node uses only types.
    ///
    /// [`imports`]: Self::imports
    #[serde(default)]
    pub host_imports: Vec<String>,
    /// The imports of nodes that only name a type: one of an interface that the node also
    /// imports, or one without a provider. Sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named_types: Vec<NamedType>,
    /// Connections that this data model cannot express, sorted and in words, such as an
    /// instance synthesized from exports of several instances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undescribed: Vec<String>,
}

/// Stands for the export where a whole instance is passed.
pub(crate) const WHOLE_INSTANCE: &str = "*";

/// One component of a composition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its name, unique within the composition.
    pub name: String,
    /// The size of its binary form, in bytes.
    pub size_bytes: u64,
    /// The SHA-256 digest of its binary form, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// One import that is satisfied by the export of another component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    /// The name of the component that imports.
    pub importer: String,
    /// The interface, as the importer names it.
    pub import: String,
    /// The name of the component that exports.
    pub provider: String,
    /// The interface, as the provider names it; possibly another version on the same
    /// track.
    pub export: String,
}

/// One import of a node that the host has to satisfy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The name of the component that imports.
    pub importer: String,
    /// The interface, as the importer names it.
    pub import: String,
    /// The interface, as the composition imports it: the highest version on the track
    /// that any node imports.
    pub name: String,
}

/// One import of a node that only names a type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedType {
    /// The name of the component that imports.
    pub importer: String,
    /// The name of the type.
    pub import: String,
}

/// One export of a composition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The interface, as the composition exports it.
    pub name: String,
    /// The name of the component that provides it.
    pub provider: String,
    /// The interface, as the provider names it.
    pub export: String,
}

impl Composition {
    /// Brings everything into canonical order: nodes, imports and exports by name, wires
    /// in breadth-first order from the exports.
    pub(crate) fn sorted(mut self) -> Self {
        self.nodes.sort();
        self.imports.sort();
        self.exports.sort();
        self.host_imports.sort();
        self.named_types.sort();
        self.undescribed.sort();
        self.wires.sort();
        let mut reached: Vec<&str> = Vec::new();
        let exports = self.exports.iter().map(|export| export.provider.as_str());
        let nodes = self.nodes.iter().map(|node| node.name.as_str());
        let mut wires = Vec::new();
        // Nodes that no export reaches come last.
        for start in exports.chain(nodes) {
            let mut next = reached.len();
            if !reached.contains(&start) {
                reached.push(start);
            }
            while let Some(importer) = reached.get(next).copied() {
                next += 1;
                let first = self
                    .wires
                    .partition_point(|wire| wire.importer.as_str() < importer);
                let wires_of = self.wires[first..].iter();
                for wire in wires_of.take_while(|wire| wire.importer == importer) {
                    wires.push(wire.clone());
                    if !reached.contains(&wire.provider.as_str()) {
                        reached.push(&wire.provider);
                    }
                }
            }
        }
        self.wires = wires;
        self
    }
}

impl Node {
    /// Describes the component `bytes` under a name.
    #[must_use]
    pub fn new(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self {
            name: name.into(),
            size_bytes: bytes.len() as u64,
            sha256: sha256(bytes),
        }
    }

    /// Size and abbreviated digest, for people.
    pub(crate) fn size_and_digest(&self) -> String {
        let digest = self.sha256.get(..12).unwrap_or(&self.sha256);
        format!("{} bytes, sha256 {digest}", self.size_bytes)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", line(&self.name), line(self.size_and_digest()))
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            importer,
            import,
            provider,
            export,
        } = self;
        let (importer, provider) = (line(importer), line(provider));
        write!(f, "{importer} -- {} --> {provider}", line(import))?;
        if export == WHOLE_INSTANCE {
            write!(f, " (all that it exports)")?;
        } else if import != export {
            write!(f, " (exports {})", line(export))?;
        }
        Ok(())
    }
}

/// An entry of [`Composition::undescribed`]: the argument for `import` of `importer` is one
/// that the data model cannot express. Provenance records contain the text, so that it must
/// not change.
pub(crate) fn undescribed_argument(importer: &str, import: &str) -> String {
    format!("what `{importer}` gets for its import `{import}`")
}

/// The imports of `component` that only name a type.
pub(crate) fn named_types(component: &Component) -> impl Iterator<Item = NamedType> {
    component.type_imports().keys().map(|import| NamedType {
        importer: component.name().to_owned(),
        import: import.clone(),
    })
}

/// The SHA-256 digest of `bytes`, in lower-case hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
