//! Metrics of the server and of its functions.
//!
//! - this file: [`Metrics`] of the server as a whole.
//! - `function.rs`: [`FunctionMetrics`] of one component.
//! - `labels.rs`: label values.
//! - `sharded.rs`: counters with a shard per thread; `histogram.rs`: durations.
//! - `exporter.rs`: export as text; `series.rs`: one metric of it; `format.rs`: [`Format`].
//! - `process.rs`, `logs.rs`: collectors that read their source at each scrape.
//!
//! A worker only adds to the shard of its own thread: a request locks and shares nothing.

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

pub use exporter::{Exporter, Sources};
pub use format::Format;
pub use function::{ActiveVersion, FunctionMetrics, Queued};
pub use labels::{CLIENT_CLOSED_REQUEST, ConnectionError, FailureKind, Reason};
use memory_limit::MemoryLimit;
pub use pool::{PoolGauge, PoolUse};

use sharded::Sharded;

/// Metrics of the server as a whole since its start.
pub struct Metrics {
    shards: Sharded<Shard>,
    functions: Mutex<Vec<Arc<FunctionMetrics>>>,
    /// The pool that all functions share, if there is one.
    pool: OnceLock<PoolGauge>,
    /// The memory limit, if there is one.
    memory: OnceLock<Arc<MemoryLimit>>,
}

/// The counters of one shard.
#[derive(Default)]
struct Shard {
    opened: AtomicU64,
    closed: AtomicU64,
    errors: [AtomicU64; ConnectionError::ALL.len()],
    rejections: [AtomicU64; Reason::ALL.len()],
}

/// Counts a connection as open until it is dropped.
#[must_use]
#[derive(Debug)]
pub struct OpenConnection(Arc<Metrics>);

impl Metrics {
    /// Metrics whose counters are 0.
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

    /// Counts an error that ended or prevented a connection.
    pub fn record_connection_error(&self, error: ConnectionError) {
        self.shards.local().errors[error as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a rejected request or connection.
    pub fn record_rejection(&self, reason: Reason) {
        self.shards.local().rejections[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Adds and activates the metrics of the component `name`.
    pub fn add(&self, name: &str, version: ActiveVersion) -> Arc<FunctionMetrics> {
        let metrics = self.prepare(name);
        self.activate(&metrics, version);
        metrics
    }

    /// The metrics of the component `name`, which are exported once a version is
    /// [activated](Self::activate). A component of the same name passes on its metrics: the
    /// counters of a function continue when it is replaced.
    pub fn prepare(&self, name: &str) -> Arc<FunctionMetrics> {
        let functions = self.lock();
        let known = functions.iter().find(|f| f.name() == name);
        let new = || Arc::new(FunctionMetrics::new(name));
        known.cloned().unwrap_or_else(new)
    }

    /// Exports these metrics from now on, as those of this version.
    pub fn activate(&self, metrics: &Arc<FunctionMetrics>, version: ActiveVersion) {
        metrics.activate(version);
        let mut functions = self.lock();
        if !functions.iter().any(|known| Arc::ptr_eq(known, metrics)) {
            functions.push(metrics.clone());
        }
    }

    /// Removes the component of this name from the export.
    pub fn remove(&self, name: &str) {
        self.lock().retain(|function| function.name() != name);
    }

    /// Exports also the use of the pool that all components share.
    pub fn set_pool(&self, pool: Option<PoolGauge>) {
        // A server has one for its whole life.
        let _ = pool.map(|pool| self.pool.set(pool));
    }

    /// Exports also the memory limit and its use.
    pub fn set_memory(&self, memory: Arc<MemoryLimit>) {
        // A server has one for its whole life.
        let _ = self.memory.set(memory);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<FunctionMetrics>>> {
        let functions = self.functions.lock();
        functions.unwrap_or_else(PoisonError::into_inner)
    }

    /// The metrics of all active components.
    fn functions(&self) -> Vec<Arc<FunctionMetrics>> {
        self.lock().clone()
    }

    fn connections(&self) -> Connections {
        // `closed` first: a connection that closes meanwhile was opened before.
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
    fn connections_open_falls_when_a_connection_ends_on_another_thread() {
        let metrics = Metrics::new();
        let first = metrics.open_connection();
        let _second = metrics.open_connection();
        thread::spawn(move || drop(first)).join().unwrap();
        let Connections { opened, open } = metrics.connections();
        assert_eq!((opened, open), (2, 1));
    }

    #[test]
    fn rejections_are_counted_by_reason() {
        let metrics = Metrics::new();
        metrics.record_rejection(Reason::QueueFull);
        metrics.record_rejection(Reason::QueueFull);
        metrics.record_rejection(Reason::Malformed);
        assert_eq!(metrics.rejections(Reason::QueueFull), 2);
        assert_eq!(metrics.rejections(Reason::Malformed), 1);
        assert_eq!(metrics.rejections(Reason::Memory), 0);
    }
}
