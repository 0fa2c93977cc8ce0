//! What the log says of a request that a guest sends: to whom and how it went, but not
//! what for. Paths, queries, fields and bodies are the guest's secrets.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;

use http::Method;

use super::account::Account;
use super::origin::Origin;
use crate::RequestId;

/// The longest method that the log shows, in bytes.
const MAX_METHOD_BYTES: usize = 16;

/// Tells the log of one request when that is over, or given up.
pub(super) struct Report {
    pub(super) request_id: RequestId,
    pub(super) account: Arc<Account>,
    pub(super) method: Method,
    /// None if what the guest gave for one names no origin.
    pub(super) origin: Option<Origin>,
    pub(super) outcome: Option<String>,
}

impl Report {
    /// Takes down how it went.
    pub(super) fn close(mut self, outcome: impl Display) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            self.outcome = Some(outcome.to_string());
        }
    }

    /// Says that the guest may not send requests there.
    pub(super) fn refuse_origin(&self) {
        let Some(origin) = &self.origin else { return };
        self.refuse(format_args!(
            "no flag allows requests to `{origin}`; if this guest may send them, \
             add `--allow-outbound {origin}`"
        ));
    }

    /// Says that the host has this address, and none that is allowed.
    pub(super) fn refuse_address(&self, address: IpAddr) {
        let Some(origin) = &self.origin else { return };
        let host = &origin.host;
        self.refuse(format_args!(
            "`{host}` is `{address}`, which is not a public address; if this guest may send \
             requests there, name the address instead of `{host}` in `--allow-outbound`"
        ));
    }

    /// A guest can be refused as often as it likes. The operator hears of the first time.
    fn refuse(&self, reason: impl Display) {
        if self.account.is_first_refusal() {
            tracing::info!(request = %self.request_id, "a request of the guest was refused: {reason}");
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let Self { method, origin, .. } = self;
        let origin: &dyn Display = match origin {
            Some(origin) => origin,
            None => &"no valid origin",
        };
        let outcome = self.outcome.as_deref().unwrap_or("given up");
        let method = &method.as_str()[..method.as_str().len().min(MAX_METHOD_BYTES)];
        tracing::debug!(request = %self.request_id, "the guest sent {method} to {origin}: {outcome}");
    }
}
