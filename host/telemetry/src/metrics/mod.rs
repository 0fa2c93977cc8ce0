//! What the server counts, and how it tells.
//!
//! - this file: [`Metrics`], about the server as a whole.
//! - `function.rs`: [`FunctionMetrics`], about one component.
//! - `labels.rs`: what is counted apart.
//! - `sharded.rs`: counting on many threads; `histogram.rs`: durations.
//! - `exporter.rs`: all of it as text; `series.rs`: one metric of it; `format.rs`: [`Format`].
//! - `process.rs`, `records.rs`: what others know, when it is asked for.
//!
//! Whoever serves requests only adds to numbers of its own thread: nothing is locked
//! or shared on the way of a request.

mod exporter;
mod format;
mod function;
mod histogram;
mod labels;
mod logs;
mod pool;
mod process;
mod series;
mod sharded;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use audit_log::record::Component;
pub use exporter::{Exporter, Sources};
pub use format::Format;
pub use function::{FunctionMetrics, Queued};
pub use labels::{CLIENT_GONE, ConnectionError, FailureKind, Reason};
pub use pool::{PoolGauge, PoolUse};
use sharded::Sharded;

use memory_limit::MemoryLimit;

/// Numbers about the server as a whole, since its start.
pub struct Metrics {
    shards: Sharded<Shard>,
    functions: Mutex<Vec<Arc<FunctionMetrics>>>,
    /// The pool that all functions share, if they do.
    pool: OnceLock<PoolGauge>,
    /// The limit on memory, where there is one.
    memory: OnceLock<Arc<MemoryLimit>>,
}

/// What one thread has counted.
#[derive(Default)]
struct Shard {
    opened: AtomicU64,
    closed: AtomicU64,
    errors: [AtomicU64; ConnectionError::ALL.len()],
    rejections: [AtomicU64; Reason::ALL.len()],
}

/// A connection, which is counted as open until this is dropped.
#[must_use]
#[derive(Debug)]
pub struct OpenConnection(Arc<Metrics>);

impl Metrics {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            shards: Sharded::new(),
            functions: Mutex::default(),
            pool: OnceLock::new(),
            memory: OnceLock::new(),
        })
    }

    /// Counts a connection.
    pub fn open_connection(self: &Arc<Self>) -> OpenConnection {
        self.shards.local().opened.fetch_add(1, Ordering::Relaxed);
        OpenConnection(self.clone())
    }

    /// Counts something that broke a connection, or let there be none.
    pub fn record_connection_error(&self, error: ConnectionError) {
        self.shards.local().errors[error as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request, or a connection, that was turned away.
    pub fn record_rejection(&self, reason: Reason) {
        self.shards.local().rejections[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// From now on, what happens to this component, which may have so many instances at
    /// once, is told as well.
    pub fn add(&self, component: &Component<'_>, max_instances: u32) -> Arc<FunctionMetrics> {
        let metrics = self.prepare(component, max_instances);
        self.activate(&metrics, component, max_instances);
        metrics
    }

    /// The numbers of this component, which are told when it is
    /// [activated](Self::activate). If there is one of its name already, they are its: the
    /// numbers of a function go on when it is replaced.
    pub fn prepare(&self, component: &Component<'_>, max_instances: u32) -> Arc<FunctionMetrics> {
        let functions = self.lock();
        let known = functions.iter().find(|f| f.name() == component.name);
        let new = || Arc::new(FunctionMetrics::new(component, max_instances));
        known.cloned().unwrap_or_else(new)
    }

    /// Tells these numbers from now on, as those of this component.
    pub fn activate(
        &self,
        metrics: &Arc<FunctionMetrics>,
        component: &Component<'_>,
        max_instances: u32,
    ) {
        metrics.activate(component, max_instances);
        let mut functions = self.lock();
        if !functions.iter().any(|known| Arc::ptr_eq(known, metrics)) {
            functions.push(metrics.clone());
        }
    }

    /// Tells no more of the component of this name.
    pub fn remove(&self, name: &str) {
        self.lock().retain(|function| function.name() != name);
    }

    /// Tells also what is in use of the pool that all components share.
    pub fn set_pool(&self, pool: Option<PoolGauge>) {
        // There is one for the whole life of a server.
        let _ = pool.map(|pool| self.pool.set(pool));
    }

    /// Tells also how much memory there is for guests.
    pub fn set_memory(&self, memory: Arc<MemoryLimit>) {
        // There is one for the whole life of a server.
        let _ = self.memory.set(memory);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<FunctionMetrics>>> {
        let functions = self.functions.lock();
        functions.unwrap_or_else(PoisonError::into_inner)
    }

    /// The components.
    fn functions(&self) -> Vec<Arc<FunctionMetrics>> {
        self.lock().clone()
    }

    fn connections(&self) -> Connections {
        // What is closed first: what is closed meanwhile was opened before.
        let closed = self.shards.sum(|shard| &shard.closed);
        let opened = self.shards.sum(|shard| &shard.opened);
        Connections {
            opened,
            open: opened.saturating_sub(closed),
        }
    }

    fn errors(&self, error: ConnectionError) -> u64 {
        self.shards.sum(|shard| &shard.errors[error as usize])
    }

    fn rejections(&self, reason: Reason) -> u64 {
        self.shards.sum(|shard| &shard.rejections[reason as usize])
    }
}

struct Connections {
    opened: u64,
    open: u64,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.shards.local().closed.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("connections", &self.connections().open)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_connection_that_ends_on_another_thread_is_not_open_any_more() {
        let metrics = Metrics::new();
        let first = metrics.open_connection();
        let _second = metrics.open_connection();
        thread::spawn(move || drop(first)).join().unwrap();
        let Connections { opened, open } = metrics.connections();
        assert_eq!((opened, open), (2, 1));
    }

    #[test]
    fn each_reason_is_counted_apart() {
        let metrics = Metrics::new();
        metrics.record_rejection(Reason::QueueFull);
        metrics.record_rejection(Reason::QueueFull);
        metrics.record_rejection(Reason::Malformed);
        assert_eq!(metrics.rejections(Reason::QueueFull), 2);
        assert_eq!(metrics.rejections(Reason::Malformed), 1);
        assert_eq!(metrics.rejections(Reason::Memory), 0);
    }
}
