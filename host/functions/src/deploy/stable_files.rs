//! Files that may still be written: what is wrong with them is reported when they have not changed
//! for a while, and not for each piece of them.

use std::time::Duration;

use audit_log::AppendError;
use tokio::time::Instant;

use super::super::file_fingerprint::FileFingerprint;
use super::super::load::FunctionError;
use super::Deployer;
use super::scan::Fingerprints;

/// Time without a change after which a file is taken to be written. It is longer than the
/// interval in which files that change all the time are looked at.
pub(super) const STABLE_PERIOD: Duration = Duration::from_secs(3);

/// The time since which some files are as they are.
#[derive(Debug, Default)]
pub(super) struct StableSince(Option<(Fingerprints, Instant)>);

impl StableSince {
    /// Notes how the files are now. Returns since when they have been so.
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

    /// Since when they have been as they were noted last, if they were.
    pub(super) fn since(&self) -> Option<Instant> {
        self.0.as_ref().map(|(_, since)| *since)
    }

    /// Forgets the files.
    pub(super) fn reset(&mut self) {
        self.0 = None;
    }
}

/// Why a function cannot be served, which is not reported yet.
pub(super) struct Deferred {
    pub(super) error: FunctionError,
    /// The files in which that was found.
    pub(super) fingerprints: Option<Fingerprints>,
}

/// Whether these are the same files, of which some were written to.
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
    /// Whether a function cannot be served maybe because its files are still being written.
    pub(super) fn may_be_incomplete(&self, name: &str, error: &FunctionError) -> bool {
        let Some(state) = self.states.get(name) else {
            return false;
        };
        // What does not go through the middleware that is declared does not wait.
        let active = state.active.as_ref();
        let keeps_running = active.is_none_or(|active| active.is_wrapped_as(&state.config));
        let is_new = state.changed.elapsed() < STABLE_PERIOD;
        is_new && keeps_running && error.may_be_incomplete_file() && !self.start.waits_for(name)
    }

    /// Reports later why a function cannot be served, if its files do not change.
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

    /// Whether adapters cannot be used maybe because their files are still being written.
    pub(super) fn may_adapters_be_incomplete(&mut self, files: &[Option<FileFingerprint>]) -> bool {
        let since = self.bad_adapters.observe(files);
        self.start.is_known() && since.elapsed() < STABLE_PERIOD
    }

    /// Reports what is wrong with files that have not changed for long enough, and loads those
    /// that have changed before that.
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
    fn a_file_is_unchanged_since_it_was_written_to_last() {
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
    fn a_file_that_is_written_to_is_the_same_and_one_that_is_replaced_is_not() {
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
