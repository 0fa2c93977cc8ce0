//! What a composition consists of, as data: the one description that is printed,
//! drawn, compared, verified and built from.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The parts of a composition, and how they are put together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Structure {
    /// The name of the whole, for titles and messages.
    pub name: String,
    /// The components that become instances, sorted by name.
    pub parts: Vec<Part>,
    /// Every import of a part that another part satisfies, sorted.
    pub wires: Vec<Wire>,
    /// Every import of a part that is left to the host, sorted.
    pub imports: Vec<Import>,
    /// What the whole exports, sorted.
    pub exports: Vec<Export>,
}

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
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            importer,
            import,
            provider,
            export,
        } = self;
        write!(f, "{importer} -- {import} --> {provider}")?;
        if import != export {
            write!(f, " (exports {export})")?;
        }
        Ok(())
    }
}

/// The SHA-256 digest of `bytes`, in lower-case hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
