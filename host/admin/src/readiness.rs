//! Whether the server wants requests.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use audit_log::AuditLog;

use functions::Functions;
use memory_limit::MemoryLimit;

/// Whether the server wants requests. Whoever starts and stops it says so here, and
/// `/readyz` passes it on to whoever sends them.
pub struct Readiness {
    phase: AtomicU8,
    /// Without it, requests are answered with 503.
    audit: Option<AuditLog>,
    /// Once it is there.
    memory: OnceLock<Arc<MemoryLimit>>,
    /// Once they are served.
    functions: OnceLock<Arc<Functions>>,
}

/// No instance has room.
const OUT_OF_MEMORY: &str =
    "requests are refused: the server has as much memory as it may (`--max-total-memory`)";

/// Some functions would answer requests with 503.
const LOADING: &str = "functions are loading: not all of them were served or refused yet";

/// No request would get anything but 404.
const NO_FUNCTION: &str =
    "no function is served; the log and the list of functions have the causes";

/// In which part of its life the server is.
const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

impl Readiness {
    /// The server is starting. It will not be ready while it cannot write the log `audit`:
    /// to be given where nothing is done that is not recorded
    /// ([`Policy::FailClosed`](audit_log::Policy::FailClosed)).
    #[must_use]
    pub fn new(audit: Option<AuditLog>) -> Arc<Self> {
        Arc::new(Self {
            phase: AtomicU8::new(STARTING),
            audit,
            memory: OnceLock::new(),
            functions: OnceLock::new(),
        })
    }

    /// The server serves requests to `functions` from now on.
    pub fn serves(&self, functions: Arc<Functions>) {
        // It begins once.
        let _ = self.functions.set(functions);
        self.begin();
    }

    pub(super) fn begin(&self) {
        self.phase.store(SERVING, Ordering::Relaxed);
    }

    /// The server finishes what it has, and wants no more.
    pub fn drains(&self) {
        self.phase.store(DRAINING, Ordering::Relaxed);
    }

    /// The server is not ready either while it has too much memory for a single instance.
    pub fn watch_memory(&self, memory: Arc<MemoryLimit>) {
        // There is one for the whole life of a server.
        let _ = self.memory.set(memory);
    }

    /// How many requests, and growths of the memories of guests, were refused for lack of
    /// memory since the start, if any were.
    #[must_use]
    pub fn refused_for_memory(&self) -> Option<(u64, u64)> {
        let memory = self.memory.get()?;
        let refused = (memory.rejected_requests(), memory.denied_growths());
        (refused != (0, 0)).then_some(refused)
    }

    /// Why the server does not want requests, if it does not.
    #[must_use]
    pub fn obstacle(&self) -> Option<&'static str> {
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

    /// The functions that are declared and cannot be served, by name.
    #[must_use]
    pub fn unserved(&self) -> Vec<String> {
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
