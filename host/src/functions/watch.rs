//! When to look again at what is wanted.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::declaration::{Declaration, Declared};
use super::place::Place;

/// How long nothing must happen before somebody is taken to be done.
const QUIET: Duration = Duration::from_millis(100);

/// How long that is waited for. Where there is no quiet, what is there is looked at all the
/// same.
const MAX_PATIENCE: Duration = Duration::from_secs(2);

/// How often it is looked anyway: some file systems do not tell of changes, and of many at
/// once none tells all.
const INTERVAL: Duration = Duration::from_secs(10);

/// Tells when something may have changed in some folders.
pub struct Watch {
    /// None if the system cannot tell.
    watcher: Option<RecommendedWatcher>,
    changes: mpsc::Receiver<()>,
    watched: BTreeSet<PathBuf>,
    /// The names of files that count beside [`is_component`]. Others in the same folders,
    /// such as a log, may change all the time.
    names: Arc<Mutex<BTreeSet<OsString>>>,
    /// When the first change was seen that was not looked at yet.
    changed: Option<Instant>,
    /// When to look in any case.
    next: Instant,
}

impl Watch {
    /// Watches nothing yet.
    #[must_use]
    pub fn new() -> Self {
        // One change that nobody has looked at is enough to know.
        let (sender, changes) = mpsc::channel(1);
        let names = Arc::<Mutex<BTreeSet<_>>>::default();
        let counting = names.clone();
        let counts = move |path: &PathBuf| {
            let names = counting.lock().unwrap_or_else(PoisonError::into_inner);
            let name = path.file_name();
            is_component(path) || name.is_some_and(|name| names.contains(name))
        };
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let is_change = event.is_ok_and(|event| {
                event.need_rescan() || is_change(event.kind) && event.paths.iter().any(&counts)
            });
            if is_change {
                // There may be one already.
                let _ = sender.try_send(());
            }
        });
        let watcher = watcher.inspect_err(cannot_watch).ok();
        Self {
            watcher,
            changes,
            watched: BTreeSet::new(),
            names,
            changed: None,
            next: Instant::now() + INTERVAL,
        }
    }

    /// Watches from now on all folders in which something is that `declaration` names.
    pub fn look_at(&mut self, declaration: &Declaration) {
        let files: Vec<_> = files(declaration).collect();
        let names = files.iter().filter_map(|file| file.file_name());
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) =
            names.map(ToOwned::to_owned).collect();
        let folders: BTreeSet<_> = files
            .iter()
            .map(|file| parent(file))
            .chain(declaration.folder.as_deref())
            .map(Path::to_owned)
            .collect();
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        for folder in self.watched.difference(&folders) {
            // One that is gone needs nothing.
            let _ = watcher.unwatch(folder);
        }
        let mut are_watched = BTreeSet::new();
        for folder in folders {
            if self.watched.contains(&folder) {
                are_watched.insert(folder);
                continue;
            }
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    are_watched.insert(folder);
                }
                Err(error) => tracing::debug!("`{}` is not watched: {error}", folder.display()),
            }
        }
        self.watched = are_watched;
    }

    /// Resolves when something has changed, and nothing more changes for a moment; or after
    /// a while in any case. If it is dropped, the next call goes on with what was seen.
    pub async fn changed(&mut self) {
        if self.changed.is_none() {
            match timeout_at(self.next, self.changes.recv()).await {
                Ok(Some(())) => self.changed = Some(Instant::now()),
                // If the watcher is gone, only time tells.
                Ok(None) => sleep_until(self.next).await,
                Err(_) => {}
            }
        }
        if let Some(since) = self.changed {
            let quiet = async {
                while timeout(QUIET, self.changes.recv()).await.is_ok() {
                    // As fast as changes come, there is one at most.
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                () = quiet => {}
                () = sleep_until(since + MAX_PATIENCE) => {}
            }
        }
        self.changed = None;
        self.next = Instant::now() + INTERVAL;
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

fn cannot_watch(error: &notify::Error) {
    let seconds = INTERVAL.as_secs();
    tracing::warn!(
        "changes of functions are looked for every {seconds} s, because the system does not tell \
         of them: {error}"
    );
}

/// Whether something may be different from before. Reading is none, or looking would be a
/// reason to look again.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

fn is_component(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "wasm")
}

/// All files that count, but for those in the folder of functions.
fn files(declaration: &Declaration) -> impl Iterator<Item = PathBuf> {
    let file = &declaration.file;
    let is_file = declaration.folder.as_ref() != Some(file);
    let functions = declaration.functions.iter();
    let places = functions.flat_map(Declared::places);
    let places = places.chain(&declaration.adapters);
    let file = is_file.then(|| file.to_owned());
    places.map(Place::file).chain(file)
}

/// The folder of a file: one that is replaced by another file is seen only there.
fn parent(file: &Path) -> &Path {
    let parent = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::runtime::Builder;

    use super::*;

    /// Whether a change is told of soon, after `change` was done in the folder.
    fn tells(change: impl FnOnce(&Path)) -> bool {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("old.wasm"), "old").unwrap();
        let declaration = Declaration {
            file: folder.path().join("functions.toml"),
            folder: Some(folder.path().to_owned()),
            functions: Vec::new(),
            adapters: Vec::new(),
            defaults: std::sync::Arc::new(Err(String::new())),
        };
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut watch = Watch::new();
            watch.look_at(&declaration);
            change(folder.path());
            timeout(INTERVAL / 2, watch.changed()).await.is_ok()
        })
    }

    #[test]
    fn a_change_is_not_forgotten_when_waiting_for_quiet_is_interrupted() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut watch = Watch::new();
            let (sender, changes) = mpsc::channel(1);
            watch.changes = changes;
            sender.try_send(()).unwrap();
            // It has seen the change, and waits for more.
            assert!(timeout(Duration::ZERO, watch.changed()).await.is_err());
            assert!(timeout(INTERVAL / 2, watch.changed()).await.is_ok());
        });
    }

    #[test]
    fn writing_renaming_and_removing_are_changes_and_reading_is_none() {
        assert!(tells(
            |folder| fs::write(folder.join("new.wasm"), "x").unwrap()
        ));
        assert!(tells(|folder| {
            fs::rename(folder.join("old.wasm"), folder.join("new.wasm")).unwrap();
        }));
        assert!(tells(
            |folder| fs::remove_file(folder.join("old.wasm")).unwrap()
        ));
        assert!(!tells(|folder| drop(
            fs::read(folder.join("old.wasm")).unwrap()
        )));
        assert!(tells(|folder| fs::write(
            folder.join("functions.toml"),
            "x"
        )
        .unwrap()));
        assert!(!tells(
            |folder| fs::write(folder.join("access.log"), "x").unwrap()
        ));
    }
}
