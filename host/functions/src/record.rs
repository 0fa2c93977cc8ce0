//! Which versions of a function there are, and which one is active.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::config::FunctionConfig;

/// The time now, as RFC 3339 says it.
fn now() -> String {
    format!("{:.0}", Timestamp::now())
}

/// What is known of one function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The version that is served.
    pub active: Option<String>,
    /// The version that its file had when it was looked at last. As long as that has no
    /// other one, what somebody activated stays active. None if it has no file.
    pub file: Option<String>,
    /// Whether it answers no requests, because an operator wants that.
    #[serde(default)]
    pub paused: bool,
    /// Since when the function is not wanted any more, as RFC 3339 says it. Its versions are
    /// kept for some time after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<String>,
    /// All of them, in the order in which they were first deployed.
    pub versions: Vec<Version>,
}

/// One version of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// The SHA-256 of its bytes.
    pub sha256: String,
    /// When it was first deployed, as RFC 3339 says it.
    pub deployed: String,
}

impl Record {
    /// Notes that this version is served from now on.
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

    /// Whether this version is served.
    pub(super) fn is_active(&self, sha256: &str) -> bool {
        self.removed.is_none() && self.active.as_deref() == Some(sha256)
    }

    /// The same for a function that is wanted as `config`: one that was removed may have had
    /// a file, and come back without it.
    pub(super) fn for_config(mut self, config: &FunctionConfig) -> Self {
        if config.component.is_none() {
            self.file = None;
        }
        self
    }

    /// Notes that the function is not wanted any more.
    pub(super) fn remove(&mut self) {
        self.removed.get_or_insert_with(now);
    }

    /// Whether it was removed, and longer ago than `keep`.
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

    /// Takes the oldest versions out that are more than `keep`, but for the active one.
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
