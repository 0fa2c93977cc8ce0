//! The signed statements: checkpoints, which attest the end of the log at some time, and
//! tombstones, which attest that records were pruned.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::hash::Hash;
use crate::head::Head;
use crate::key::{PublicKey, Signature, SigningKey};
use sanitize::json;

/// A signed statement: at `time`, the record `sequence` of the log `node` was the last one,
/// and had the hash `hash`. Through the chain this covers all previous records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint<'a> {
    /// The name of the log.
    #[serde(borrow)]
    pub node: Cow<'a, str>,
    /// The last record.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
    /// The time of signing: RFC 3339, UTC, nanoseconds.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// The key that signed it.
    pub public_key: PublicKey,
    /// The signature of [`Checkpoint::message`].
    pub signature: Signature,
}

/// A signed statement: the operator removed all records of the log `node` up to
/// `sequence`, of which the last one had the hash `hash`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstone<'a> {
    /// The name of the log.
    #[serde(borrow)]
    pub node: Cow<'a, str>,
    /// The last record that was removed.
    pub sequence: u64,
    /// Its hash, which the next record names as the previous one.
    pub hash: Hash,
    /// The number of records removed by this run; earlier runs may have removed others.
    pub removed: u64,
    /// The time of signing: RFC 3339, UTC, nanoseconds.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// The key that signed it.
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

    /// The signed message: five lines of text, each ended by a line feed.
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

    /// Whether the named key made the signature.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.public_key.has_signed(&self.message(), &self.signature)
    }

    /// A copy that does not borrow the line.
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

    /// The signed message: six lines of text, each ended by a line feed.
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

    /// Whether the named key made the signature.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.public_key.has_signed(&self.message(), &self.signature)
    }

    /// The last removed record, which the next record follows.
    #[must_use]
    pub fn head(&self) -> Head {
        let Self { sequence, hash, .. } = *self;
        Head { sequence, hash }
    }

    /// Parses the output of [`Tombstone::line`].
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

    /// The stored form, in a database as in a file: one line of JSON that cannot be mistaken
    /// for a record, without a line feed.
    ///
    /// # Panics
    ///
    /// Never: JSON is UTF-8.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = b"{\"tombstone\":".to_vec();
        json::write(&mut line, self);
        line.push(b'}');
        String::from_utf8(line).expect("JSON is UTF-8")
    }

    /// A copy that does not borrow the line.
    #[must_use]
    pub fn into_owned(self) -> Tombstone<'static> {
        Tombstone {
            node: self.node.into_owned().into(),
            time: self.time.into_owned().into(),
            ..self
        }
    }
}
