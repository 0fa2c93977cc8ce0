//! When to look again at what is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::component_source::ComponentSource;
use super::config::{FunctionConfig, FunctionsConfig, is_function_file};
use super::resolved_path::ResolvedPath;

/// How long nothing must happen before somebody is taken to be done.
const DEBOUNCE_INTERVAL: Duration = Duration::from_millis(100);

/// How long that is waited for. Where there is no quiet, what is there is looked at all the
/// same.
const MAX_DEBOUNCE: Duration = Duration::from_secs(2);

/// How often it is looked anyway: some file systems do not tell of changes, and of many at
/// once none tells all.
const POLL_INTERVAL: Duration = Duration::from_secs(10);

/// What tells a folder from another one in its place: its device, and its number there. None if
/// it does not exist.
type Identity = Option<(u64, u64)>;

/// What decides what is wanted and what it is: entries of folders.
#[derive(Debug, Default)]
pub struct WatchedPaths {
    /// Each file that is named and its folder, each link on the way there, and what is missing.
    /// Other entries of the same folders, such as a log, may change all the time.
    entries: BTreeSet<PathBuf>,
    /// The folder of functions, in which each component counts.
    functions: Option<PathBuf>,
    /// The folders in which all that is.
    folders: BTreeMap<PathBuf, Identity>,
}

impl WatchedPaths {
    /// That of a declaration, as the links on the disk are at the moment. It may take its time.
    #[must_use]
    pub fn of(functions_config: &FunctionsConfig) -> Self {
        let mut entries = BTreeSet::new();
        let mut functions = None;
        if let Some(folder) = &functions_config.folder {
            let resolved = ResolvedPath::of(folder);
            entries.extend(resolved.entries);
            functions = resolved.end;
        }
        let function_links = functions.as_deref().map(function_links).unwrap_or_default();
        for file in files(functions_config).chain(function_links) {
            let resolved = ResolvedPath::of(&file);
            entries.extend(resolved.entries);
            let folder = resolved.end.as_deref().and_then(Path::parent);
            entries.extend(folder.map(Path::to_owned));
        }
        let parents = entries.iter().filter_map(|entry| entry.parent());
        let folders = parents.chain(functions.as_deref());
        let identified = |folder: &Path| {
            let found = fs::metadata(folder).ok();
            let identity = found.map(|found| (found.dev(), found.ino()));
            (folder.to_owned(), identity)
        };
        let folders = folders.map(identified).collect();
        Self {
            entries,
            functions,
            folders,
        }
    }

    /// Whether a change of this entry is one of what is wanted.
    fn counts(&self, path: &Path) -> bool {
        let is_in_functions =
            || self.functions.is_some() && path.parent() == self.functions.as_deref();
        // A folder that is watched and removed is named by itself.
        self.entries.contains(path)
            || self.folders.contains_key(path)
            || is_in_functions() && is_function_file(path)
    }
}

/// The functions in a folder that are links.
fn function_links(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_link = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_symlink());
    let function_links = entries.filter(is_link).map(|entry| entry.path());
    function_links
        .filter(|path| is_function_file(path))
        .collect()
}

/// Tells when something may have changed in some folders.
pub struct ConfigWatcher {
    /// None if the system cannot tell.
    watcher: Option<RecommendedWatcher>,
    changes: mpsc::Receiver<()>,
    /// The folders that are watched.
    folders: BTreeMap<PathBuf, Identity>,
    watched: Arc<Mutex<WatchedPaths>>,
    /// When the first change was seen that was not looked at yet.
    changed: Option<Instant>,
    /// When to look in any case.
    next: Instant,
}

impl ConfigWatcher {
    /// Watches nothing yet.
    #[must_use]
    pub fn new() -> Self {
        // One change that nobody has looked at is enough to know.
        let (sender, changes) = mpsc::channel(1);
        let current = Arc::<Mutex<WatchedPaths>>::default();
        let counting = current.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let is_change = event.is_ok_and(|event| {
                event.need_rescan()
                    || is_change(event.kind) && {
                        let current = counting.lock().unwrap_or_else(PoisonError::into_inner);
                        event.paths.iter().any(|path| current.counts(path))
                    }
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
            folders: BTreeMap::new(),
            watched: current,
            changed: None,
            next: Instant::now() + POLL_INTERVAL,
        }
    }

    /// Watches all folders in which something of `watched` is. Those that were removed and made
    /// again since the last call are watched as they are now.
    pub fn set_watched(&mut self, watched: WatchedPaths) {
        let Some(notifier) = &mut self.watcher else {
            return;
        };
        let mut folders = watched.folders.clone();
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = watched;
        for (folder, identity) in &self.folders {
            // One that is gone needs nothing.
            if folders.get(folder) != Some(identity) {
                let _ = notifier.unwatch(folder);
            }
        }
        // Also those that are watched: what was removed may have got the same number again.
        folders.retain(|folder, _| {
            let done = notifier.watch(folder, RecursiveMode::NonRecursive);
            if let Err(error) = &done {
                tracing::debug!("`{}` is not watched: {error}", folder.display());
            }
            done.is_ok()
        });
        self.folders = folders;
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
            let debounced = async {
                while timeout(DEBOUNCE_INTERVAL, self.changes.recv())
                    .await
                    .is_ok()
                {
                    // As fast as changes come, there is one at most.
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                () = debounced => {}
                () = sleep_until(since + MAX_DEBOUNCE) => {}
            }
        }
        self.changed = None;
        self.next = Instant::now() + POLL_INTERVAL;
    }
}

impl Default for ConfigWatcher {
    fn default() -> Self {
        Self::new()
    }
}

fn cannot_watch(error: &notify::Error) {
    let seconds = POLL_INTERVAL.as_secs();
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

/// All files that count, but for those in the folder of functions.
fn files(functions_config: &FunctionsConfig) -> impl Iterator<Item = PathBuf> {
    let file = &functions_config.file;
    let is_file = functions_config.folder.as_ref() != Some(file);
    let functions = functions_config.functions.iter();
    let sources = functions.flat_map(FunctionConfig::sources);
    let sources = sources.chain(&functions_config.adapters);
    let file = is_file.then(|| file.to_owned());
    sources.map(ComponentSource::file).chain(file)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::runtime::Builder;

    use super::*;

    /// A folder `f` of functions, and a file beside it.
    fn functions_config(root: &Path) -> FunctionsConfig {
        FunctionsConfig {
            file: root.join("functions.toml"),
            folder: Some(root.join("f")),
            functions: Vec::new(),
            adapters: Vec::new(),
            defaults: std::sync::Arc::new(Err(String::new())),
        }
    }

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("f")).unwrap();
        fs::write(root.path().join("f/old.wasm"), "old").unwrap();
        root
    }

    /// Whether a change is told of soon, after each of these `changes` below a folder.
    fn tells_all(root: &Path, changes: &[&dyn Fn(&Path)]) -> Vec<bool> {
        let functions_config = functions_config(root);
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut watch = ConfigWatcher::new();
            let mut told = Vec::new();
            for change in changes {
                watch.set_watched(WatchedPaths::of(&functions_config));
                change(root);
                let in_time = timeout(POLL_INTERVAL / 2, watch.changed()).await;
                told.push(in_time.is_ok());
            }
            told
        })
    }

    /// Whether a change is told of soon, after `change` was done in the folder of functions.
    fn tells(change: impl Fn(&Path)) -> bool {
        let root = root();
        tells_all(root.path(), &[&|root| change(&root.join("f"))]) == [true]
    }

    #[test]
    fn a_change_is_not_forgotten_when_waiting_for_quiet_is_interrupted() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut watch = ConfigWatcher::new();
            let (sender, changes) = mpsc::channel(1);
            watch.changes = changes;
            sender.try_send(()).unwrap();
            // It has seen the change, and waits for more.
            assert!(timeout(Duration::ZERO, watch.changed()).await.is_err());
            assert!(timeout(POLL_INTERVAL / 2, watch.changed()).await.is_ok());
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
            folder.join("../functions.toml"),
            "x"
        )
        .unwrap()));
        assert!(!tells(|folder| fs::write(
            folder.join("../other.wasm"),
            "x"
        )
        .unwrap()));
        assert!(!tells(
            |folder| fs::write(folder.join("access.log"), "x").unwrap()
        ));
    }

    #[test]
    fn a_volume_that_turns_to_another_version_is_a_change() {
        use std::os::unix::fs::symlink;

        let root = root();
        let folder = root.path().join("f");
        for version in ["..v1", "..v2"] {
            fs::create_dir(folder.join(version)).unwrap();
            fs::write(folder.join(version).join("app.wasm"), version).unwrap();
        }
        symlink("..v1", folder.join("..data")).unwrap();
        symlink("..data/app.wasm", folder.join("app.wasm")).unwrap();
        let turn = |root: &Path| {
            symlink("..v2", root.join("f/..next")).unwrap();
            fs::rename(root.join("f/..next"), root.join("f/..data")).unwrap();
        };
        let write = |root: &Path| fs::write(root.join("f/..v2/app.wasm"), "new").unwrap();
        assert_eq!(tells_all(root.path(), &[&turn, &write]), [true, true]);
    }

    #[test]
    fn a_folder_that_is_made_again_is_watched_again() {
        let root = root();
        let at = root.path().join("deep");
        fs::create_dir(&at).unwrap();
        fs::rename(root.path().join("f"), at.join("f")).unwrap();
        let remove = |at: &Path| fs::remove_dir_all(at).unwrap();
        let make = |at: &Path| fs::create_dir_all(at.join("f")).unwrap();
        let write = |at: &Path| fs::write(at.join("f/new.wasm"), "x").unwrap();
        let replace = |at: &Path| {
            fs::rename(at.join("f"), at.join("g")).unwrap();
            fs::create_dir(at.join("f")).unwrap();
        };
        let remove_and_make = |at: &Path| {
            fs::remove_dir_all(at.join("f")).unwrap();
            fs::create_dir(at.join("f")).unwrap();
        };
        let changes: [&dyn Fn(&Path); 8] = [
            &remove,
            &make,
            &write,
            &replace,
            &write,
            &remove_and_make,
            &write,
            &remove_and_make,
        ];
        assert_eq!(tells_all(&at, &changes), [true; 8]);
    }
}
