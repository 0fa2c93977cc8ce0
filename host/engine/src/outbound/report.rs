//! Log entries of outbound requests: method, origin and outcome. Paths, queries, header fields and
//! bodies may contain secrets of the guest and are never logged.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use telemetry::RequestId;
use wasmtime_wasi_http::Error;

use super::in_flight::InFlight;
use super::origin::Origin;

/// Size limit of a method in a log line, in bytes.
const MAX_METHOD_BYTES: usize = 16;

/// Size limit of a cause in a log line, in bytes: servers control parts of it.
const MAX_CAUSE_BYTES: usize = 512;

/// The log entry of one request, written when it completes or is aborted.
pub(super) struct Report {
    pub(super) request_id: RequestId,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) method: Method,
    /// None if the guest has set an invalid origin.
    pub(super) origin: Option<Origin>,
    /// The cause of a failure, in addition to the error code that the guest gets.
    pub(super) cause: Mutex<Option<String>>,
    pub(super) outcome: Option<String>,
}

impl Report {
    /// Sets the outcome.
    pub(super) fn finish(mut self, outcome: impl Display) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            self.outcome = Some(outcome.to_string());
        }
    }

    /// Logs a failure. A guest can cause any number of failures, so that only the first of each
    /// request that it serves is a warning, and the others are debug events.
    pub(super) fn fail(self, error: &Error) {
        let cause = self
            .cause
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let cause = cause.map(|cause| format!(": {cause}"));
        let outcome = format!("{error}{}", cause.unwrap_or_default());
        if self.in_flight.is_first_failure() {
            let (request, method, origin) = (&self.request_id, self.method(), self.origin());
            tracing::warn!(%request, "outbound request failed: {method} to {origin}: {outcome}");
        }
        self.finish(outcome);
    }

    /// Sets the cause of a later failure.
    pub(super) fn set_cause(&self, cause: impl Display) {
        let cause = sanitize::line(&cause).at_most(MAX_CAUSE_BYTES).to_string();
        let mut current = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Some(cause);
    }

    fn origin(&self) -> &dyn Display {
        match &self.origin {
            Some(origin) => origin,
            None => &"an invalid origin",
        }
    }

    fn method(&self) -> &str {
        let method = self.method.as_str();
        &method[..method.len().min(MAX_METHOD_BYTES)]
    }

    /// Logs that the origin is not allowed.
    pub(super) fn log_denied_origin(&self) {
        let Some(origin) = &self.origin else { return };
        self.log_denied(format_args!(
            "`{origin}` is not allowed; if this guest may send requests there, \
             add `--allow-outbound {origin}`"
        ));
    }

    /// Logs that the host only has addresses that are not allowed.
    pub(super) fn log_denied_address(&self, address: IpAddr) {
        let Some(origin) = &self.origin else { return };
        let host = &origin.host;
        self.log_denied(format_args!(
            "`{host}` resolves to `{address}`, which is not public; if this guest may send \
             requests there, name the address instead of `{host}` in `--allow-outbound`"
        ));
    }

    /// A guest can cause any number of denials, so that only the first is logged.
    fn log_denied(&self, reason: impl Display) {
        if self.in_flight.is_first_failure() {
            tracing::info!(request = %self.request_id, "outbound request denied: {reason}");
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let (method, origin) = (self.method(), self.origin());
        let outcome = self.outcome.as_deref().unwrap_or("aborted");
        tracing::debug!(request = %self.request_id, "outbound request: {method} to {origin}: {outcome}");
    }
}
