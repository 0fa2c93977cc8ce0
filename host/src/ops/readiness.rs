//! Whether the server wants requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use audit_log::AuditLog;

/// Whether the server wants requests. Whoever starts and stops it says so here, and
/// `/readyz` passes it on to whoever sends them.
#[derive(Debug)]
pub struct Readiness {
    phase: AtomicU8,
    /// Without it, requests are answered with 503.
    audit: Option<AuditLog>,
}

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
        })
    }

    /// The server serves requests from now on.
    pub fn serves(&self) {
        self.phase.store(SERVING, Ordering::Relaxed);
    }

    /// The server finishes what it has, and wants no more.
    pub fn drains(&self) {
        self.phase.store(DRAINING, Ordering::Relaxed);
    }

    /// Why the server does not want requests, if it does not.
    #[must_use]
    pub fn obstacle(&self) -> Option<&'static str> {
        match self.phase.load(Ordering::Relaxed) {
            STARTING => Some("the server is starting"),
            DRAINING => Some("the server is shutting down"),
            _ if self.is_unaudited() => Some("the audit log cannot be written"),
            _ => None,
        }
    }

    fn is_unaudited(&self) -> bool {
        let audit = self.audit.as_ref();
        audit.is_some_and(|audit| audit.metrics().is_failing)
    }
}
