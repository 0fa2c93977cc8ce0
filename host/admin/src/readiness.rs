//! Readiness: reasons against further requests.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use audit_log::AuditLog;
use functions::Functions;
use memory_limit::MemoryLimit;

/// Readiness for requests, which the program sets at startup and shutdown, and `/readyz` reports
/// to load balancers.
pub struct Readiness {
    phase: AtomicU8,
    /// While it cannot be written, requests get 503.
    audit: Option<AuditLog>,
    /// Set once memory is measured.
    memory: OnceLock<Arc<MemoryLimit>>,
    /// Set once functions are served.
    functions: OnceLock<Arc<Functions>>,
}

/// Not enough memory for an instance.
const OUT_OF_MEMORY: &str = "requests are rejected: the server has reached `--max-total-memory`";

/// Requests to some functions would get 503.
const LOADING: &str = "functions are loading: not all of them were served or rejected yet";

/// All requests would get 404.
const NO_FUNCTION: &str =
    "no function is served; the log and the list of functions have the causes";

/// Phases of the server.
const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

impl Readiness {
    /// The readiness of a server that is starting. It is not ready while the log `audit` cannot be
    /// written, which is given for [`Policy::FailClosed`](audit_log::Policy::FailClosed).
    #[must_use]
    pub fn new(audit: Option<AuditLog>) -> Arc<Self> {
        Arc::new(Self {
            phase: AtomicU8::new(STARTING),
            audit,
            memory: OnceLock::new(),
            functions: OnceLock::new(),
        })
    }

    /// Marks the server as serving `functions`.
    pub fn serves(&self, functions: Arc<Functions>) {
        // Called once.
        let _ = self.functions.set(functions);
        self.begin();
    }

    pub(super) fn begin(&self) {
        self.phase.store(SERVING, Ordering::Relaxed);
    }

    /// Marks the server as draining.
    pub fn drains(&self) {
        self.phase.store(DRAINING, Ordering::Relaxed);
    }

    /// Makes the server not ready while there is no memory for a single instance.
    pub fn watch_memory(&self, memory: Arc<MemoryLimit>) {
        // There is one for the whole life of a server.
        let _ = self.memory.set(memory);
    }

    /// Numbers of requests, and of growths of guest memories, that were refused for lack of
    /// memory since the start, if any were.
    #[must_use]
    pub(super) fn refused_for_memory(&self) -> Option<(u64, u64)> {
        let memory = self.memory.get()?;
        let refused = (memory.rejected_requests(), memory.denied_growths());
        (refused != (0, 0)).then_some(refused)
    }

    /// The reason against further requests, if any.
    #[must_use]
    pub(super) fn obstacle(&self) -> Option<&'static str> {
        match self.phase.load(Ordering::Relaxed) {
            STARTING => Some("the server is starting"),
            DRAINING => Some("the server is shutting down"),
            _ if self.is_unaudited() => Some("the audit log cannot be written"),
            _ if self.is_out_of_memory() => Some(OUT_OF_MEMORY),
            _ if self.is_loading() => Some(LOADING),
            _ if self.serves_nothing() => Some(NO_FUNCTION),
            _ => None,
        }
    }

    fn is_out_of_memory(&self) -> bool {
        self.memory.get().is_some_and(|memory| memory.is_exceeded())
    }

    /// Configured functions that cannot be served, by name.
    #[must_use]
    pub(super) fn unserved(&self) -> Vec<String> {
        let functions = self.functions.get();
        functions.map_or_else(Vec::new, |functions| functions.unserved())
    }

    fn is_loading(&self) -> bool {
        let functions = self.functions.get();
        functions.is_some_and(|functions| functions.is_starting())
    }

    fn serves_nothing(&self) -> bool {
        let functions = self.functions.get();
        functions.is_some_and(|functions| functions.table().functions().is_empty())
    }

    fn is_unaudited(&self) -> bool {
        let audit = self.audit.as_ref();
        audit.is_some_and(|audit| audit.metrics().is_failing)
    }
}
