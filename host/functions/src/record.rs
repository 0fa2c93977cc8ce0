//! The persisted record of a function: its versions and the active one.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::config::FunctionConfig;

/// The current time in RFC 3339.
fn now() -> String {
    format!("{:.0}", Timestamp::now())
}

/// The persisted state of one function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The active version.
    pub active: Option<String>,
    /// The version of its file at the last scan. Until the file changes, a version that an
    /// operator activated stays active. None if it has no file.
    pub file: Option<String>,
    /// Whether an operator paused it.
    #[serde(default)]
    pub paused: bool,
    /// Time of its removal in RFC 3339. Its versions are kept for the retention time after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<String>,
    /// All versions, in the order of their first deploy.
    pub versions: Vec<Version>,
}

/// One version of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// The SHA-256 of its bytes.
    pub sha256: String,
    /// Time of its first deploy in RFC 3339.
    pub deployed: String,
}

impl Record {
    /// Makes this version the active one.
    pub fn activate(&mut self, sha256: &str) {
        if !self.versions.iter().any(|known| known.sha256 == sha256) {
            self.versions.push(Version {
                sha256: sha256.to_owned(),
                deployed: now(),
            });
        }
        self.active = Some(sha256.to_owned());
        self.removed = None;
    }

    /// Whether this version is active.
    pub(super) fn is_active(&self, sha256: &str) -> bool {
        self.removed.is_none() && self.active.as_deref() == Some(sha256)
    }

    /// The record for a function with this configuration: a removed function may have had a file,
    /// and return without one.
    pub(super) fn for_config(mut self, config: &FunctionConfig) -> Self {
        if config.component.is_none() {
            self.file = None;
        }
        self
    }

    /// Marks the function as removed.
    pub(super) fn remove(&mut self) {
        self.removed.get_or_insert_with(now);
    }

    /// Whether it was removed more than `keep` ago.
    pub(super) fn is_expired(&self, keep: Duration) -> bool {
        let Some(removed) = &self.removed else {
            return false;
        };
        let Ok(removed) = removed.parse::<Timestamp>() else {
            return true;
        };
        let age = Timestamp::now().duration_since(removed);
        age.unsigned_abs() >= keep && !age.is_negative()
    }

    /// The version that was deployed before the active one.
    #[must_use]
    pub fn previous(&self) -> Option<&str> {
        let active = self.active.as_deref()?;
        let mut versions = self.versions.iter();
        let index = versions.position(|version| version.sha256 == active)?;
        let before = self.versions.get(index.checked_sub(1)?)?;
        Some(&before.sha256)
    }

    /// Removes the oldest versions beyond `keep`, except the active one.
    pub(super) fn prune(&mut self, keep: usize) -> Vec<Version> {
        let mut excess = self.versions.len().saturating_sub(keep);
        let active = self.active.clone();
        let is_pruned = |version: &mut Version| {
            let is_pruned = excess > 0 && Some(&version.sha256) != active.as_ref();
            excess -= usize::from(is_pruned);
            is_pruned
        };
        self.versions.extract_if(.., is_pruned).collect()
    }
}
