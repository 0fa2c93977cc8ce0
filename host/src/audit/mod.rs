//! The capability `runner:audit/audit-log`, which is documented in `wit/`.
//!
//! - this file: the host functions, and the view on a store that they need.
//! - [`entry`](self): the rules of the contract, in `entry.rs`.
//! - [`AuditLog`]: the one thread that writes, in `log.rs`.
//! - [`Sink`]: where the records go, in `sink.rs` with its two
//!   implementations.
//!
//! A program that embeds this capability:
//!
//! ```no_run
//! use host::RequestId;
//! use host::audit::{self, AuditCtx, AuditCtxView, AuditLog, AuditView, JsonLines};
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
//!     let log = AuditLog::start(JsonLines::stderr())?;
//!     let engine = Engine::default();
//!     let mut linker = Linker::<State>::new(&engine);
//!     audit::add_to_linker(&mut linker)?;
//!
//!     let state = State {
//!         audit: AuditCtx::new(log, "sha256:…".into(), RequestId::next()),
//!     };
//!     let mut store = Store::new(&engine, state);
//!     // … instantiate a component within `store`.
//!     Ok(())
//! }
//! ```

mod entry;
mod log;
mod record;
mod sink;

use std::sync::Arc;

use wasmtime::component::{HasData, Linker};

use crate::RequestId;
pub use log::AuditLog;
pub use record::{Entry, Host, Outcome, Record};
pub use sink::{JsonLines, OpenError, Sink};

mod bindings {
    #![allow(
        missing_docs,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wasmtime::component::bindgen!({
        path: "../wit",
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

/// What the audit log needs to know of one store.
#[derive(Debug, Clone)]
pub struct AuditCtx {
    log: AuditLog,
    component: Arc<str>,
    request_id: RequestId,
}

impl AuditCtx {
    /// Entries from this store go to `log`, and say that they come from
    /// `component` (a digest such as `sha256:…`) in the request `request_id`.
    #[must_use]
    pub fn new(log: AuditLog, component: Arc<str>, request_id: RequestId) -> Self {
        Self {
            log,
            component,
            request_id,
        }
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
        let entry = entry::check(entry)?;
        let ctx = &self.ctx;
        match ctx
            .log
            .append(entry, ctx.component.clone(), ctx.request_id)
            .await
        {
            Ok(sequence) => Ok(audit_log::Receipt { sequence }),
            // The guest learns that the log is unavailable, the operator why.
            Err(error) => {
                let request = ctx.request_id;
                tracing::error!(%request, cause = %error, "the audit log took no entry");
                let why = "the audit log cannot be written".to_owned();
                Err(audit_log::Error::Unavailable(why))
            }
        }
    }
}
