//! The capability `runner:audit/audit-log`, which is documented in `wit/`.
//!
//! - this file: the host functions, and the view on the store that they need.
//! - [`entry`](self): validation of entries, in `entry.rs`.
//! - [`Quota`]: the limits of one request, in `quota.rs`.
//!
//! The log itself is the crate [`audit_log`](::audit_log), which is independent of WebAssembly.
//!
//! A program that embeds this capability:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use audit_log::record::Component as Named;
//! use audit_log::{AuditLog, Location, Settings};
//! use engine::audit::{self, AuditCtx, AuditCtxView, AuditSource, AuditView, Quota};
//! use telemetry::RequestInfo;
//! use wasmtime::component::{Component, Linker};
//! use wasmtime::{Engine, Store};
//!
//! struct State {
//!     audit: AuditCtx,
//! }
//!
//! impl AuditView for State {
//!     fn audit(&mut self) -> AuditCtxView<'_> {
//!         AuditCtxView { ctx: &mut self.audit }
//!     }
//! }
//!
//! fn main() -> wasmtime::Result<()> {
//!     let log = AuditLog::open(&Settings::new(Location::Sqlite("audit.db".into())))?;
//!     let engine = Engine::default();
//!     let mut linker = Linker::<State>::new(&engine);
//!     audit::add_to_linker(&mut linker)?;
//!
//!     let source = AuditSource {
//!         log,
//!         quota: Quota::default(),
//!         component: Named { name: "app".into(), sha256: "…".into() }.into(),
//!     };
//!     let request = RequestInfo::new(&http::Request::new(()), None, None);
//!     let state = State {
//!         audit: AuditCtx::new(Arc::new(source), Arc::new(request)),
//!     };
//!     let mut store = Store::new(&engine, state);
//!     // … instantiate a component within `store`.
//!     Ok(())
//! }
//! ```

mod entry;
mod quota;

use std::sync::Arc;

use ::audit_log::event::{Event, Rejection};
use ::audit_log::record::{Component, Subject};
use ::audit_log::{AppendError, AuditLog};
use wasmtime::component::{HasData, Linker};

pub use quota::Quota;
use telemetry::RequestInfo;

mod bindings {
    #![allow(
        missing_docs,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wasmtime::component::bindgen!({
        // Not all of `wit/`: the streams of WASI 0.3 need another feature of wasmtime.
        path: [
            "../../wit/deps/io.wit",
            "../../wit/deps/clocks.wit",
            "../../wit/deps/filesystem.wit",
            "../../wit/deps/random.wit",
            "../../wit/deps/sockets.wit",
            "../../wit/deps/cli.wit",
            "../../wit/deps/audit",
        ],
        inline: "
            package runner:host;
            world capabilities {
                import runner:audit/audit-log@0.1.0;
            }
        ",
        imports: { default: async },
    });
}
use bindings::runner::audit::audit_log;

/// The audit log of one component, and the identity of its entries.
#[derive(Debug, Clone)]
pub struct AuditSource {
    /// The log.
    pub log: AuditLog,
    /// The limits of each request.
    pub quota: Quota,
    /// The component that the records name.
    pub component: Arc<Component<'static>>,
}

/// The audit state of one store.
#[derive(Debug, Clone)]
pub struct AuditCtx {
    source: Arc<AuditSource>,
    /// The rest of the quota of the request.
    quota: Quota,
    /// Whether the log has a record of the exceeded quota.
    has_exceeded: bool,
    request: Arc<RequestInfo>,
}

impl AuditCtx {
    /// The state of a store whose entries belong to `source` and `request`.
    #[must_use]
    pub fn new(source: Arc<AuditSource>, request: Arc<RequestInfo>) -> Self {
        Self {
            quota: source.quota,
            source,
            has_exceeded: false,
            request,
        }
    }

    /// Validates an entry, and takes it from the quota.
    fn check(&mut self, entry: &audit_log::Entry) -> Result<(), audit_log::Error> {
        let checked = entry::check(entry);
        // A rejected entry counts as well, because its rejection is recorded; the size of that
        // record is fixed.
        let bytes = checked.as_ref().map_or(0, |()| entry::bytes(entry));
        self.quota.take(bytes)?;
        checked
    }

    /// Records the rejection of an entry.
    async fn record_rejection(&mut self, error: &audit_log::Error) -> Result<(), AppendError> {
        let reason = match error {
            audit_log::Error::TooLarge(_) => Rejection::TooLarge,
            audit_log::Error::Invalid(_) => Rejection::Invalid,
            audit_log::Error::QuotaExceeded(_) if !self.has_exceeded => {
                self.has_exceeded = true;
                Rejection::QuotaExceeded
            }
            audit_log::Error::QuotaExceeded(_) | audit_log::Error::Unavailable(_) => return Ok(()),
        };
        let request = self.request.for_audit();
        let subject = Subject {
            component: Some(&self.source.component),
            request: Some(&request),
        };
        let event = Event::EntryRefused { reason };
        self.source.log.record(subject, &event).await.map(drop)
    }

    /// Marks the request, and logs the cause for the operator.
    fn unavailable(&self, error: &AppendError) -> audit_log::Error {
        self.request.set_audit_unavailable();
        let request = self.request.id();
        tracing::error!(%request, cause = %error, "audit log unavailable, entry of the guest rejected");
        audit_log::Error::Unavailable("the audit log cannot be written".to_owned())
    }
}

/// The view of the host functions on a store.
pub struct AuditCtxView<'a> {
    /// The audit state of the store.
    pub ctx: &'a mut AuditCtx,
}

/// Implemented by the data of stores whose guests may use the audit log.
pub trait AuditView: Send {
    /// Borrows the audit state.
    fn audit(&mut self) -> AuditCtxView<'_>;
}

/// Adds `runner:audit/audit-log` to a linker.
///
/// # Errors
///
/// Fails if the linker has that interface already.
pub fn add_to_linker<T: AuditView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    audit_log::add_to_linker::<T, HasAudit>(linker, T::audit)
}

struct HasAudit;

impl HasData for HasAudit {
    type Data<'a> = AuditCtxView<'a>;
}

impl audit_log::Host for AuditCtxView<'_> {
    async fn append(
        &mut self,
        entry: audit_log::Entry,
    ) -> Result<audit_log::Receipt, audit_log::Error> {
        let ctx = &mut *self.ctx;
        if let Err(rejection) = ctx.check(&entry) {
            return match ctx.record_rejection(&rejection).await {
                Ok(()) => Err(rejection),
                Err(error) => Err(ctx.unavailable(&error)),
            };
        }
        let request = ctx.request.for_audit();
        let subject = Subject {
            component: Some(&ctx.source.component),
            request: Some(&request),
        };
        let log = &ctx.source.log;
        let appended = log.append(subject, &entry::for_record(&entry)).await;
        match appended {
            Ok(sequence) => Ok(audit_log::Receipt { sequence }),
            Err(error) => Err(ctx.unavailable(&error)),
        }
    }
}
