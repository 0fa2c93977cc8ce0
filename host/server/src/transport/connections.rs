//! The limit of open connections.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, getrlimit};

/// Number of file descriptors that the server needs in addition to connections: listeners, logs,
/// the audit log and its database, and those of the runtime of each thread.
pub(crate) fn own_files(threads: NonZeroUsize) -> usize {
    threads.get().saturating_mul(8).saturating_add(64)
}

/// The limit of open files of this process.
pub(crate) fn max_open_files() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files).unwrap_or(usize::MAX)
}

/// The limit of open files is too low to serve anything.
#[derive(Debug, thiserror::Error)]
#[error(
    "this process may open {found} files and needs {needed} or more; raise the limit, such as \
     with `ulimit -n 65536` or `LimitNOFILE=65536`"
)]
pub struct TooFewFiles {
    found: usize,
    needed: usize,
}

/// Checks that a server with this number of `threads` can open the files that it needs, and a few
/// connections.
///
/// # Errors
///
/// Fails with the limit of open files, and the number that is needed.
pub fn check_open_files(threads: NonZeroUsize) -> Result<(), TooFewFiles> {
    const MIN_CONNECTIONS: usize = 16;

    let (found, needed) = (max_open_files(), own_files(threads) + MIN_CONNECTIONS);
    if found < needed {
        return Err(TooFewFiles { found, needed });
    }
    Ok(())
}

/// Counts open connections and enforces their limit.
#[derive(Debug)]
pub(crate) struct Connections {
    open: Arc<AtomicUsize>,
    max: usize,
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Slot(Arc<AtomicUsize>);

impl Connections {
    /// At most `max` connections, and not more than the limit of open files leaves for them with
    /// this number of `threads`.
    pub(crate) fn new(max: Option<NonZeroUsize>, threads: NonZeroUsize) -> Self {
        const DEFAULT_MAX: usize = 20_000;
        /// The server logs a limit below this default.
        const FEW: usize = 1_000;

        let files = max_open_files();
        let possible = files.saturating_sub(own_files(threads)).max(1);
        let wanted = max.map_or(DEFAULT_MAX, NonZeroUsize::get);
        let expected = max.map_or(FEW, NonZeroUsize::get);
        if possible < expected {
            tracing::warn!(
                "at most {possible} connections can be open, because this process may open \
                 {files} files; raise the limit, such as with `ulimit -n {}`",
                expected.saturating_add(own_files(threads))
            );
        }
        Self {
            open: Arc::default(),
            max: wanted.min(possible),
        }
    }

    /// Counts one more connection, unless the limit is reached.
    pub(crate) fn open(&self) -> Option<Slot> {
        // Only one thread counts up, so no other takes the remaining slot meanwhile.
        if self.open.load(Ordering::Relaxed) >= self.max {
            return None;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        Some(Slot(self.open.clone()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_connections_is_enforced() {
        let connections = Connections::new(NonZeroUsize::new(2), NonZeroUsize::MIN);
        let slots = [connections.open(), connections.open()];
        assert!(slots.iter().all(Option::is_some));
        assert!(connections.open().is_none());
        drop(slots);
        assert!(connections.open().is_some());
    }
}
