//! What a composition consists of, as data: the one description that is printed,
//! drawn, compared, verified and built from.

use std::fmt;

use sanitize::line;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::component::Component;

/// The parts of a composition, and how they are put together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Structure {
    /// The name of the whole, for titles and messages.
    pub name: String,
    /// The components that become instances, sorted by name.
    pub parts: Vec<Part>,
    /// Every import of a part that another part satisfies, as a reader follows them
    /// from the exports on.
    pub wires: Vec<Wire>,
    /// Every import of a part that is left to the host, sorted.
    pub imports: Vec<Import>,
    /// What the whole exports, sorted.
    pub exports: Vec<Export>,
    /// Everything that the whole imports, sorted. Besides what [`imports`] names, it
    /// may be interfaces of which a part uses only types.
    ///
    /// [`imports`]: Self::imports
    #[serde(default)]
    pub host_imports: Vec<String>,
    /// The imports of parts that only name a type of an interface that the part gets as
    /// well, or a type that needs no provider. Sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named_types: Vec<NamedType>,
    /// What is there but has no place in this description, sorted, such as an instance
    /// that is put together of several; in words, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undescribed: Vec<String>,
}

/// What stands for an export where an instance is passed as a whole.
pub(crate) const WHOLE_INSTANCE: &str = "*";

/// One component inside a composition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
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
    /// The interface, as the provider names it: another version on the same
    /// track, perhaps.
    pub export: String,
}

/// One import of a part that the host has to satisfy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The name of the component that imports.
    pub importer: String,
    /// The interface, as the importer names it.
    pub import: String,
    /// The interface, as the whole imports it: the highest version on the track
    /// that any part asks for.
    pub name: String,
}

/// One import of a part that only gives a name to a type.
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
    /// The interface, as the whole exports it.
    pub name: String,
    /// The name of the component that provides it.
    pub provider: String,
    /// The interface, as the provider names it.
    pub export: String,
}

impl Structure {
    /// The same in its one order: parts and imports by name, and wires and exports
    /// as a reader follows them, from what is exported to what that needs.
    pub(crate) fn sorted(mut self) -> Self {
        self.parts.sort();
        self.imports.sort();
        self.exports.sort();
        self.host_imports.sort();
        self.named_types.sort();
        self.undescribed.sort();
        self.wires.sort();
        let mut reached: Vec<&str> = Vec::new();
        let exports = self.exports.iter().map(|export| export.provider.as_str());
        let parts = self.parts.iter().map(|part| part.name.as_str());
        let mut wires = Vec::new();
        // What no export reaches comes after what one does.
        for start in exports.chain(parts) {
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

impl Part {
    /// Describes the component `bytes` under a name.
    #[must_use]
    pub fn new(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self {
            name: name.into(),
            size_bytes: bytes.len() as u64,
            sha256: sha256(bytes),
        }
    }

    /// Size and digest in words, the digest shortened to what tells it apart.
    pub(crate) fn size_and_digest(&self) -> String {
        let digest = self.sha256.get(..12).unwrap_or(&self.sha256);
        format!("{} bytes, sha256 {digest}", self.size_bytes)
    }
}

impl fmt::Display for Part {
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

/// Says in [`Structure::undescribed`] that `importer` gets something for `import` that has
/// no place in the description.
pub(crate) fn undescribed_argument(importer: &str, import: &str) -> String {
    format!("what `{importer}` gets for its import `{import}`")
}

/// What `component` imports only to name a type.
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
