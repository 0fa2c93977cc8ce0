//! Incomplete files: an error is reported once its files are stable, not for each partial write.

use std::time::Duration;

use audit_log::AppendError;
use tokio::time::Instant;

use super::super::file_fingerprint::FileFingerprint;
use super::super::load::FunctionError;
use super::Deployer;
use super::scan::Fingerprints;

/// Time without a change after which a file counts as complete. It is longer than the maximum
/// debounce time of the watcher.
pub(super) const STABLE_PERIOD: Duration = Duration::from_secs(3);

/// Fingerprints of files, and the time since which they are unchanged.
#[derive(Debug, Default)]
pub(super) struct StableSince(Option<(Fingerprints, Instant)>);

impl StableSince {
    /// Stores the current fingerprints. Returns the time since which they are unchanged.
    pub(super) fn observe(&mut self, files: &[Option<FileFingerprint>]) -> Instant {
        match &self.0 {
            Some((known, since)) if known == files => *since,
            _ => {
                let now = Instant::now();
                self.0 = Some((files.to_vec(), now));
                now
            }
        }
    }

    /// The time since which the observed files are unchanged.
    pub(super) fn since(&self) -> Option<Instant> {
        self.0.as_ref().map(|(_, since)| *since)
    }

    /// Drops the fingerprints.
    pub(super) fn reset(&mut self) {
        self.0 = None;
    }
}

/// An error of a function that is not reported yet.
pub(super) struct Deferred {
    pub(super) error: FunctionError,
    /// Fingerprints of the files with this error.
    pub(super) fingerprints: Option<Fingerprints>,
}

/// Whether both are of the same files, with or without writes in between.
pub(super) fn are_same_files(
    files: &[Option<FileFingerprint>],
    others: &[Option<FileFingerprint>],
) -> bool {
    let is_same =
        |(file, other): (&Option<FileFingerprint>, &Option<FileFingerprint>)| match (file, other) {
            (Some(file), Some(other)) => file.is_same_file(other),
            (file, other) => file.is_none() && other.is_none(),
        };
    files.len() == others.len() && files.iter().zip(others).all(is_same)
}

impl Deployer {
    /// Whether incomplete files may be the cause of an error of a function.
    pub(super) fn may_be_incomplete(&self, name: &str, error: &FunctionError) -> bool {
        let Some(state) = self.states.get(name) else {
            return false;
        };
        // A version without the configured middleware is undeployed without delay.
        let active = state.active.as_ref();
        let keeps_running = active.is_none_or(|active| active.is_wrapped_as(&state.config));
        let is_new = state.changed.elapsed() < STABLE_PERIOD;
        is_new && keeps_running && error.may_be_incomplete_file() && !self.start.waits_for(name)
    }

    /// Defers the report of an error until the files of the function are stable.
    pub(super) fn defer(&mut self, name: &str, error: FunctionError) {
        if let Some(state) = self.states.get_mut(name) {
            let fingerprints = state.fingerprints.clone();
            state.is_loading = true;
            state.deferred = Some(Deferred {
                error,
                fingerprints,
            });
        }
    }

    /// Whether incomplete files may be the cause of an error of adapters.
    pub(super) fn may_adapters_be_incomplete(&mut self, files: &[Option<FileFingerprint>]) -> bool {
        let since = self.rejected_adapters.observe(files);
        self.start.is_known() && since.elapsed() < STABLE_PERIOD
    }

    /// Reports deferred errors of stable files, and reloads functions whose files have changed.
    pub(super) async fn report_stable(&mut self) -> Result<(), AppendError> {
        let is_stable = |name: &&String| {
            let state = self.states.get(*name);
            let is_stable = state.is_some_and(|state| {
                state.deferred.is_some() && state.changed.elapsed() >= STABLE_PERIOD
            });
            is_stable && !self.tasks.has(name)
        };
        let stable: Vec<_> = self.states.keys().filter(is_stable).cloned().collect();
        for name in stable {
            let Some(state) = self.states.get_mut(&name) else {
                continue;
            };
            match state.deferred.take() {
                Some(Deferred {
                    error,
                    fingerprints,
                }) if fingerprints == state.fingerprints => {
                    self.reject(&name, &error).await?;
                }
                _ => {
                    let config = state.config.clone();
                    self.load(config);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn stable_since_is_reset_by_a_write() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let fingerprints = || vec![FileFingerprint::of(file.path()), None];
        let mut unchanged = StableSince::default();
        assert_eq!(unchanged.since(), None);
        let before = Instant::now();
        let first = unchanged.observe(&fingerprints());
        assert!(first >= before);
        assert_eq!(unchanged.observe(&fingerprints()), first);
        fs::write(file.path(), "function = []").unwrap();
        let second = unchanged.observe(&fingerprints());
        assert!(second > first);
        assert_eq!(unchanged.observe(&fingerprints()), second);
        assert_eq!(unchanged.since(), Some(second));
        unchanged.reset();
        assert_eq!(unchanged.since(), None);
    }

    #[test]
    fn a_written_file_is_the_same_and_a_replaced_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("1"), folder.path().join("2"));
        fs::write(&one, "1").unwrap();
        fs::write(&two, "2").unwrap();
        let fingerprints = || vec![FileFingerprint::of(&one)];
        let before = fingerprints();
        fs::write(&one, "11").unwrap();
        assert!(before != fingerprints() && are_same_files(&before, &fingerprints()));
        fs::rename(&two, &one).unwrap();
        assert!(!are_same_files(&before, &fingerprints()));
        fs::remove_file(&one).unwrap();
        assert!(!are_same_files(&before, &fingerprints()));
        assert!(are_same_files(&fingerprints(), &[None]));
    }
}
