//! The watcher: file events and polling, which trigger reconciliation.
//!
//! `notify-debouncer-full` is not used: it has no maximum delay, and queues all events of all files
//! of a folder without a limit, whereas one unreported event is enough here.

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

/// Debounce interval: time without an event before a change is reported.
const DEBOUNCE_INTERVAL: Duration = Duration::from_millis(100);

/// Maximum debounce time, where events never pause.
const MAX_DEBOUNCE: Duration = Duration::from_secs(2);

/// Polling interval: some file systems send no events, and any of them drops events under load.
const POLL_INTERVAL: Duration = Duration::from_secs(10);

/// Identity of a folder: device and inode. None if it does not exist.
type Identity = Option<(u64, u64)>;

/// The directory entries that determine the configuration and the components.
#[derive(Debug, Default)]
pub struct WatchedPaths {
    /// Each configured file and its folder, each link on the path, and each missing entry. Other
    /// entries of the same folders, such as a log, may change at any rate.
    entries: BTreeSet<PathBuf>,
    /// The folder of functions, where each component is relevant.
    functions: Option<PathBuf>,
    /// The folders of all these entries.
    folders: BTreeMap<PathBuf, Identity>,
}

impl WatchedPaths {
    /// The entries of a configuration, with the links as they are now. It blocks on the disk.
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

    /// Whether a change of this entry is relevant.
    fn is_relevant(&self, path: &Path) -> bool {
        let is_in_functions =
            || self.functions.is_some() && path.parent() == self.functions.as_deref();
        // The event for a removed watched folder has the path of the folder.
        self.entries.contains(path)
            || self.folders.contains_key(path)
            || is_in_functions() && is_function_file(path)
    }
}

/// The functions of a folder that are symbolic links.
fn function_links(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_link = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_symlink());
    let function_links = entries.filter(is_link).map(|entry| entry.path());
    function_links
        .filter(|path| is_function_file(path))
        .collect()
}

/// Watches folders, and reports that something may have changed.
pub struct ConfigWatcher {
    /// None if the system provides no events.
    watcher: Option<RecommendedWatcher>,
    changes: mpsc::Receiver<()>,
    /// The watched folders.
    folders: BTreeMap<PathBuf, Identity>,
    watched: Arc<Mutex<WatchedPaths>>,
    /// Time of the first event that was not reported yet.
    changed: Option<Instant>,
    /// Time of the next poll.
    next: Instant,
}

impl ConfigWatcher {
    /// A watcher without folders.
    #[must_use]
    pub fn new() -> Self {
        // A single unreported event is enough.
        let (sender, changes) = mpsc::channel(1);
        let current = Arc::<Mutex<WatchedPaths>>::default();
        let counting = current.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let is_change = event.is_ok_and(|event| {
                event.need_rescan()
                    || is_change(event.kind) && {
                        let current = counting.lock().unwrap_or_else(PoisonError::into_inner);
                        event.paths.iter().any(|path| current.is_relevant(path))
                    }
            });
            if is_change {
                // Fails if one is queued already.
                let _ = sender.try_send(());
            }
        });
        let watcher = watcher.inspect_err(warn_polling_only).ok();
        Self {
            watcher,
            changes,
            folders: BTreeMap::new(),
            watched: current,
            changed: None,
            next: Instant::now() + POLL_INTERVAL,
        }
    }

    /// Watches all folders of `watched`, also those that were removed and created again since the
    /// last call.
    pub fn set_watched(&mut self, watched: WatchedPaths) {
        let Some(notifier) = &mut self.watcher else {
            return;
        };
        let mut folders = watched.folders.clone();
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = watched;
        for (folder, identity) in &self.folders {
            // Fails for a folder that is gone.
            if folders.get(folder) != Some(identity) {
                let _ = notifier.unwatch(folder);
            }
        }
        // Also watched ones: a new folder may have got the inode of a removed one.
        folders.retain(|folder, _| {
            let done = notifier.watch(folder, RecursiveMode::NonRecursive);
            if let Err(error) = &done {
                tracing::debug!("`{}` is not watched: {error}", folder.display());
            }
            done.is_ok()
        });
        self.folders = folders;
    }

    /// Resolves after a change and the debounce interval, or after the polling interval. It is
    /// cancel safe: the next call continues with the events seen so far.
    pub async fn changed(&mut self) {
        if self.changed.is_none() {
            match timeout_at(self.next, self.changes.recv()).await {
                Ok(Some(())) => self.changed = Some(Instant::now()),
                // Without a watcher, only polling is left.
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
                    // The queue holds one event however fast they arrive.
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

fn warn_polling_only(error: &notify::Error) {
    let seconds = POLL_INTERVAL.as_secs();
    tracing::warn!(
        "polling for changes of functions every {seconds} s, because file events are not \
         available: {error}"
    );
}

/// Whether the event may be a change. Reads are not, or each scan would trigger the next.
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

/// All configured files, except those in the folder of functions.
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

    /// A folder `f` of functions, and a file next to it.
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

    /// Whether the watcher reports each of these `changes` below a folder in time.
    fn reports_all(root: &Path, changes: &[&dyn Fn(&Path)]) -> Vec<bool> {
        let functions_config = functions_config(root);
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut watch = ConfigWatcher::new();
            let mut reported = Vec::new();
            for change in changes {
                watch.set_watched(WatchedPaths::of(&functions_config));
                change(root);
                let in_time = timeout(POLL_INTERVAL / 2, watch.changed()).await;
                reported.push(in_time.is_ok());
            }
            reported
        })
    }

    /// Whether the watcher reports a `change` in the folder of functions in time.
    fn reports(change: impl Fn(&Path)) -> bool {
        let root = root();
        reports_all(root.path(), &[&|root| change(&root.join("f"))]) == [true]
    }

    #[test]
    fn a_change_survives_cancellation_during_the_debounce_interval() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut watch = ConfigWatcher::new();
            let (sender, changes) = mpsc::channel(1);
            watch.changes = changes;
            sender.try_send(()).unwrap();
            // The event was received, and the debounce interval is running.
            assert!(timeout(Duration::ZERO, watch.changed()).await.is_err());
            assert!(timeout(POLL_INTERVAL / 2, watch.changed()).await.is_ok());
        });
    }

    #[test]
    fn writes_renames_and_removals_are_reported_and_reads_are_not() {
        assert!(reports(
            |folder| fs::write(folder.join("new.wasm"), "x").unwrap()
        ));
        assert!(reports(|folder| {
            fs::rename(folder.join("old.wasm"), folder.join("new.wasm")).unwrap();
        }));
        assert!(reports(
            |folder| fs::remove_file(folder.join("old.wasm")).unwrap()
        ));
        assert!(!reports(|folder| drop(
            fs::read(folder.join("old.wasm")).unwrap()
        )));
        assert!(reports(|folder| fs::write(
            folder.join("../functions.toml"),
            "x"
        )
        .unwrap()));
        assert!(!reports(|folder| fs::write(
            folder.join("../other.wasm"),
            "x"
        )
        .unwrap()));
        assert!(!reports(
            |folder| fs::write(folder.join("access.log"), "x").unwrap()
        ));
    }

    #[test]
    fn a_kubernetes_volume_update_is_reported() {
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
        assert_eq!(reports_all(root.path(), &[&turn, &write]), [true, true]);
    }

    #[test]
    fn a_recreated_folder_is_watched_again() {
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
        assert_eq!(reports_all(&at, &changes), [true; 8]);
    }
}
