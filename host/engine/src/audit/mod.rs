//! The capability `runner:audit/audit-log`, which is documented in `wit/`.
//!
//! - this file: the host functions, and the view on a store that they need.
//! - [`entry`](self): the rules of the contract, in `entry.rs`.
//! - [`Quota`]: how much one request may write, in `quota.rs`.
//!
//! The log itself is the crate [`audit_log`](::audit_log), which knows nothing of
//! WebAssembly.
//!
//! A program that embeds this capability:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use audit_log::record::Component as Named;
//! use audit_log::{AuditLog, Location, Settings};
//! use host::RequestInfo;
//! use host::audit::{self, AuditCtx, AuditCtxView, AuditSource, AuditView, Quota};
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
        path: "../../wit",
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

/// Where the entries of one component go, and what is said of them.
#[derive(Debug, Clone)]
pub struct AuditSource {
    /// The log.
    pub log: AuditLog,
    /// How much each request may append there.
    pub quota: Quota,
    /// From whom they come.
    pub component: Arc<Component<'static>>,
}

/// What the audit log needs to know of one store.
#[derive(Debug, Clone)]
pub struct AuditCtx {
    source: Arc<AuditSource>,
    /// What is left of it.
    quota: Quota,
    /// Whether the log has a record of the guest's having used up its quota.
    has_exceeded: bool,
    request: Arc<RequestInfo>,
}

impl AuditCtx {
    /// Entries from this store are of `source`, and say that they come from `request`.
    #[must_use]
    pub fn new(source: Arc<AuditSource>, request: Arc<RequestInfo>) -> Self {
        Self {
            quota: source.quota,
            source,
            has_exceeded: false,
            request,
        }
    }

    /// Checks an entry against the contract and the quota.
    fn check(&mut self, entry: &audit_log::Entry) -> Result<(), audit_log::Error> {
        let checked = entry::check(entry);
        // An entry that is refused leaves a record, too, of a size that is known.
        let bytes = checked.as_ref().map_or(0, |()| entry::bytes(entry));
        self.quota.take(bytes)?;
        checked
    }

    /// Leaves a record of the refusal of an entry.
    async fn record_refusal(&mut self, error: &audit_log::Error) -> Result<(), AppendError> {
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

    /// Notes that the log took no record, and tells the operator why.
    fn unavailable(&self, error: &AppendError) -> audit_log::Error {
        self.request.set_audit_unavailable();
        let request = self.request.id();
        tracing::error!(%request, cause = %error, "the audit log took no entry");
        audit_log::Error::Unavailable("the audit log cannot be written".to_owned())
    }
}

/// Gives the host functions what belongs to a store.
pub struct AuditCtxView<'a> {
    /// The store's own context.
    pub ctx: &'a mut AuditCtx,
}

/// Implemented by the data of a store whose guest may use the audit log.
pub trait AuditView: Send {
    /// Borrows the store's context.
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
        if let Err(refusal) = ctx.check(&entry) {
            return match ctx.record_refusal(&refusal).await {
                Ok(()) => Err(refusal),
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
