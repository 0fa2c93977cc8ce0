//! What the log says of a request that a guest sends: to whom and how it went, but not
//! what for. Paths, queries, fields and bodies are the guest's secrets.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use wasmtime_wasi_http::Error;

use super::in_flight::InFlight;
use super::origin::Origin;
use telemetry::RequestId;

/// The longest method that the log shows, in bytes.
const MAX_METHOD_BYTES: usize = 16;

/// The longest reason that the log shows, in bytes: servers choose parts of it.
const MAX_REASON_BYTES: usize = 512;

/// Tells the log of one request when that is over, or given up.
pub(super) struct Report {
    pub(super) request_id: RequestId,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) method: Method,
    /// None if what the guest gave for one names no origin.
    pub(super) origin: Option<Origin>,
    /// What the error code that the guest gets does not say.
    pub(super) reason: Mutex<Option<String>>,
    pub(super) outcome: Option<String>,
}

impl Report {
    /// Takes down how it went.
    pub(super) fn finish(mut self, outcome: impl Display) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            self.outcome = Some(outcome.to_string());
        }
    }

    /// Takes down that it failed. A guest can fail as often as it likes, so that the log has
    /// the first failure of each request that it serves, and with debug all of them.
    pub(super) fn fail(self, error: &Error) {
        let reason = self
            .reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let reason = reason.map(|reason| format!(": {reason}"));
        let outcome = format!("{error}{}", reason.unwrap_or_default());
        if self.in_flight.is_first_failure() {
            let (request, method, origin) = (&self.request_id, self.method(), self.origin());
            tracing::warn!(%request, "a request of the guest failed: {method} to {origin}: {outcome}");
        }
        self.finish(outcome);
    }

    /// Adds a reason to a failure that follows.
    pub(super) fn set_cause(&self, reason: impl Display) {
        let reason = sanitize::line(&reason)
            .at_most(MAX_REASON_BYTES)
            .to_string();
        let mut known = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(reason);
    }

    fn origin(&self) -> &dyn Display {
        match &self.origin {
            Some(origin) => origin,
            None => &"no valid origin",
        }
    }

    fn method(&self) -> &str {
        let method = self.method.as_str();
        &method[..method.len().min(MAX_METHOD_BYTES)]
    }

    /// Says that the guest may not send requests there.
    pub(super) fn log_denied_origin(&self) {
        let Some(origin) = &self.origin else { return };
        self.log_denied(format_args!(
            "no flag allows requests to `{origin}`; if this guest may send them, \
             add `--allow-outbound {origin}`"
        ));
    }

    /// Says that the host has this address, and none that is allowed.
    pub(super) fn log_denied_address(&self, address: IpAddr) {
        let Some(origin) = &self.origin else { return };
        let host = &origin.host;
        self.log_denied(format_args!(
            "`{host}` is `{address}`, which is not a public address; if this guest may send \
             requests there, name the address instead of `{host}` in `--allow-outbound`"
        ));
    }

    /// A guest can be refused as often as it likes. The operator hears of the first time.
    fn log_denied(&self, reason: impl Display) {
        if self.in_flight.is_first_failure() {
            tracing::info!(request = %self.request_id, "a request of the guest was refused: {reason}");
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let (method, origin) = (self.method(), self.origin());
        let outcome = self.outcome.as_deref().unwrap_or("given up");
        tracing::debug!(request = %self.request_id, "the guest sent {method} to {origin}: {outcome}");
    }
}
