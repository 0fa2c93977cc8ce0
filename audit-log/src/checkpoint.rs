//! What the host signs: how far the log went at a moment, and what was removed
//! from its beginning.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hash::{Hash, deserialize_hex};
use crate::key::{PublicKey, SigningKey};
use crate::store::Head;
use sanitize::json;

/// A signed statement: at `time`, the record `sequence` of the log `node` was the
/// last one, and had the hash `hash`. Through the chain this covers all records
/// before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint<'a> {
    /// The log.
    #[serde(borrow)]
    pub node: Cow<'a, str>,
    /// The record.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
    /// When this was signed: RFC 3339, UTC, nanoseconds.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// Who signed it.
    pub public_key: PublicKey,
    /// The signature of [`Checkpoint::message`].
    pub signature: Signature,
}

/// A signed statement: the operator removed all records of the log `node` up to
/// `sequence`, of which the last one had the hash `hash`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstone<'a> {
    /// The log.
    #[serde(borrow)]
    pub node: Cow<'a, str>,
    /// The last record that was removed.
    pub sequence: u64,
    /// Its hash, which the next record names as that of the record before it.
    pub hash: Hash,
    /// How many records this removed; others may have been removed earlier.
    pub removed: u64,
    /// When: RFC 3339, UTC, nanoseconds.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// Who signed it.
    pub public_key: PublicKey,
    /// The signature of [`Tombstone::message`].
    pub signature: Signature,
}

impl<'a> Checkpoint<'a> {
    /// Signs that `sequence` is the last record and has the hash `hash`.
    #[must_use]
    pub fn sign(key: &SigningKey, node: &'a str, sequence: u64, hash: Hash, time: &'a str) -> Self {
        let mut checkpoint = Self {
            node: node.into(),
            sequence,
            hash,
            time: time.into(),
            public_key: key.public_key(),
            signature: Signature([0; 64]),
        };
        checkpoint.signature = key.sign(&checkpoint.message());
        checkpoint
    }

    /// What is signed: five lines of text, each ended by a line feed.
    #[must_use]
    pub fn message(&self) -> String {
        let Self {
            node,
            sequence,
            hash,
            time,
            ..
        } = self;
        format!("audit checkpoint 1\nnode {node}\nsequence {sequence}\nhash {hash}\ntime {time}\n")
    }

    /// Whether the signature is that of the key that is named.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.public_key.has_signed(&self.message(), &self.signature)
    }

    /// The same, independent of where it was read from.
    #[must_use]
    pub fn into_owned(self) -> Checkpoint<'static> {
        Checkpoint {
            node: self.node.into_owned().into(),
            time: self.time.into_owned().into(),
            ..self
        }
    }
}

impl<'a> Tombstone<'a> {
    /// Signs that `removed` records up to `sequence` were removed.
    #[must_use]
    pub fn sign(
        key: &SigningKey,
        node: &'a str,
        sequence: u64,
        hash: Hash,
        removed: u64,
        time: &'a str,
    ) -> Self {
        let mut tombstone = Self {
            node: node.into(),
            sequence,
            hash,
            removed,
            time: time.into(),
            public_key: key.public_key(),
            signature: Signature([0; 64]),
        };
        tombstone.signature = key.sign(&tombstone.message());
        tombstone
    }

    /// What is signed: six lines of text, each ended by a line feed.
    #[must_use]
    pub fn message(&self) -> String {
        let Self {
            node,
            sequence,
            hash,
            removed,
            time,
            ..
        } = self;
        format!(
            "audit tombstone 1\nnode {node}\nsequence {sequence}\nhash {hash}\n\
             removed {removed}\ntime {time}\n"
        )
    }

    /// Whether the signature is that of the key that is named.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.public_key.has_signed(&self.message(), &self.signature)
    }

    /// The last record that was removed, which the next one follows.
    #[must_use]
    pub fn head(&self) -> Head {
        let Self { sequence, hash, .. } = *self;
        Head { sequence, hash }
    }

    /// Reads the tombstone in the text that [`Tombstone::line`] makes.
    #[must_use]
    pub fn from_line(line: &'a [u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Stored<'a> {
            #[serde(borrow)]
            tombstone: Tombstone<'a>,
        }
        let line = str::from_utf8(line).ok()?;
        let stored: Stored<'_> = serde_json::from_str(line).ok()?;
        Some(stored.tombstone)
    }

    /// How it is stored, in a database as in a file: one line of JSON that cannot
    /// be taken for a record. Without a line feed.
    ///
    /// # Panics
    ///
    /// Never: JSON is text.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = b"{\"tombstone\":".to_vec();
        json::write(&mut line, self);
        line.push(b'}');
        String::from_utf8(line).expect("JSON is text")
    }

    /// The same, independent of where it was read from.
    #[must_use]
    pub fn into_owned(self) -> Tombstone<'static> {
        Tombstone {
            node: self.node.into_owned().into(),
            time: self.time.into_owned().into(),
            ..self
        }
    }
}

/// An Ed25519 signature (RFC 8032). Shown as 128 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub(crate) [u8; 64]);

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(const_hex::Buffer::<64>::new().format(&self.0))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_hex(deserializer).map(Self)
    }
}
