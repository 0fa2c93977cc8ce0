//! Files that may still be written: what is wrong with them is reported when they have not changed
//! for a while, and not for each piece of them.

use std::time::Duration;

use audit_log::AppendError;
use tokio::time::Instant;

use super::super::load::FunctionError;
use super::super::stamp::Stamp;
use super::Deployer;
use super::scan::Stamps;

/// Time without a change after which a file is taken to be written. It is longer than the
/// interval in which files that change all the time are looked at.
pub(super) const SETTLING_TIME: Duration = Duration::from_secs(3);

/// The time since which some files are as they are.
#[derive(Debug, Default)]
pub(super) struct Unchanged(Option<(Stamps, Instant)>);

impl Unchanged {
    /// Notes how the files are now. Returns since when they have been so.
    pub(super) fn since(&mut self, files: &[Option<Stamp>]) -> Instant {
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
    pub(super) fn noted(&self) -> Option<Instant> {
        self.0.as_ref().map(|(_, since)| *since)
    }

    /// Forgets the files.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}

/// Why a function cannot be served, which is not reported yet.
pub(super) struct Deferred {
    pub(super) error: FunctionError,
    /// The files in which that was found.
    pub(super) stamps: Option<Stamps>,
}

/// Whether these are the same files, of which some were written to.
pub(super) fn are_same_files(files: &[Option<Stamp>], others: &[Option<Stamp>]) -> bool {
    let is_same = |(file, other): (&Option<Stamp>, &Option<Stamp>)| match (file, other) {
        (Some(file), Some(other)) => file.is_same_file(other),
        (file, other) => file.is_none() && other.is_none(),
    };
    files.len() == others.len() && files.iter().zip(others).all(is_same)
}

impl Deployer {
    /// Whether a function cannot be served maybe because its files are still being written.
    pub(super) fn may_be_unfinished(&self, name: &str, error: &FunctionError) -> bool {
        let Some(known) = self.known.get(name) else {
            return false;
        };
        // What does not go through the middleware that is declared does not wait.
        let active = known.active.as_ref();
        let goes_on = active.is_none_or(|active| active.is_wrapped_as(&known.declared));
        let is_new = known.changed.elapsed() < SETTLING_TIME;
        is_new && goes_on && error.is_of_files() && !self.start.waits_for(name)
    }

    /// Reports later why a function cannot be served, if its files do not change.
    pub(super) fn defer(&mut self, name: &str, error: FunctionError) {
        if let Some(known) = self.known.get_mut(name) {
            let stamps = known.stamps.clone();
            known.is_loading = true;
            known.deferred = Some(Deferred { error, stamps });
        }
    }

    /// Whether adapters cannot be used maybe because their files are still being written.
    pub(super) fn may_adapters_be_unfinished(&mut self, files: &[Option<Stamp>]) -> bool {
        let since = self.bad_adapters.since(files);
        self.start.is_known() && since.elapsed() < SETTLING_TIME
    }

    /// Reports what is wrong with files that have not changed for long enough, and loads those
    /// that have changed before that.
    pub(super) async fn report_settled(&mut self) -> Result<(), AppendError> {
        let is_settled = |name: &&String| {
            let known = self.known.get(*name);
            let is_settled = known.is_some_and(|known| {
                known.deferred.is_some() && known.changed.elapsed() >= SETTLING_TIME
            });
            is_settled && !self.tasks.has(name)
        };
        let settled: Vec<_> = self.known.keys().filter(is_settled).cloned().collect();
        for name in settled {
            let Some(known) = self.known.get_mut(&name) else {
                continue;
            };
            match known.deferred.take() {
                Some(Deferred { error, stamps }) if stamps == known.stamps => {
                    self.refuse(&name, &error).await?;
                }
                _ => {
                    let declared = known.declared.clone();
                    self.load(declared);
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
        let stamps = || vec![Stamp::of(file.path()), None];
        let mut unchanged = Unchanged::default();
        assert_eq!(unchanged.noted(), None);
        let before = Instant::now();
        let first = unchanged.since(&stamps());
        assert!(first >= before);
        assert_eq!(unchanged.since(&stamps()), first);
        fs::write(file.path(), "function = []").unwrap();
        let second = unchanged.since(&stamps());
        assert!(second > first);
        assert_eq!(unchanged.since(&stamps()), second);
        assert_eq!(unchanged.noted(), Some(second));
        unchanged.forget();
        assert_eq!(unchanged.noted(), None);
    }

    #[test]
    fn a_file_that_is_written_to_is_the_same_and_one_that_is_replaced_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("1"), folder.path().join("2"));
        fs::write(&one, "1").unwrap();
        fs::write(&two, "2").unwrap();
        let stamps = || vec![Stamp::of(&one)];
        let before = stamps();
        fs::write(&one, "11").unwrap();
        assert!(before != stamps() && are_same_files(&before, &stamps()));
        fs::rename(&two, &one).unwrap();
        assert!(!are_same_files(&before, &stamps()));
        fs::remove_file(&one).unwrap();
        assert!(!are_same_files(&before, &stamps()));
        assert!(are_same_files(&stamps(), &[None]));
    }
}
