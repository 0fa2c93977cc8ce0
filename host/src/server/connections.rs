//! How many connections there are.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, getrlimit};

/// Counts connections, and lets no more be open than may be.
#[derive(Debug)]
pub(super) struct Connections {
    open: Arc<AtomicUsize>,
    max: usize,
}

/// One of the connections that are open.
#[derive(Debug)]
pub(super) struct Slot(Arc<AtomicUsize>);

impl Connections {
    /// At most `max`, and not more than the system lets this process have.
    pub(super) fn new(max: Option<NonZeroUsize>) -> Self {
        /// For everything else that is open: the audit log, its database, libraries.
        const RESERVED: usize = 128;
        const DEFAULT_MAX: usize = 20_000;

        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        let possible = files.saturating_sub(RESERVED).max(1);
        let wanted = max.map_or(DEFAULT_MAX, NonZeroUsize::get);
        if let Some(max) = max.filter(|max| max.get() > possible) {
            tracing::warn!(
                "{max} connections cannot be open, because this process may have {files} files; \
                 at most {possible} are; raise the limit, such as with `ulimit -n`"
            );
        }
        Self {
            open: Arc::default(),
            max: wanted.min(possible),
        }
    }

    /// Counts one more, unless there are as many as may be.
    pub(super) fn open(&self) -> Option<Slot> {
        // Only one thread counts up, so nobody else takes what is left meanwhile.
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
    fn no_more_are_open_than_may_be() {
        let connections = Connections::new(NonZeroUsize::new(2));
        let slots = [connections.open(), connections.open()];
        assert!(slots.iter().all(Option::is_some));
        assert!(connections.open().is_none());
        drop(slots);
        assert!(connections.open().is_some());
    }
}
