//! What happens when a guest fails: the log has the cause, the audit log a record,
//! and the client a response that does not tell it.

use audit_log::event::{Event, GuestFailure};
use audit_log::record::Subject;
use http::{Response, StatusCode};
use tokio::time::timeout;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

use super::body::ResponseBody;
use super::problem;
use super::request::Context;

/// The longest cause that a record has, in bytes.
const MAX_CAUSE_BYTES: usize = 4096;

/// Why a request gets no response from a guest, or not all of it.
pub(super) enum Failure {
    /// The request cannot be given to a guest, because it names no host.
    Unusable(wasmtime::Error),
    /// The guest could not be started, or trapped.
    Trapped(wasmtime::Error),
    /// The guest returned without having set a response.
    Silent,
    /// The guest set an error instead of a response.
    Refused(ErrorCode),
    /// The guest ended its response before it was whole.
    BrokenOff(String),
    /// The guest took longer than it may.
    TimedOut,
    /// The audit log took no record of what happened.
    Unaudited,
}

impl Failure {
    /// Writes the cause into both logs, and makes a response.
    pub(super) async fn report(self, context: &Context) -> Response<ResponseBody> {
        let (status, detail) = match &self {
            Self::Unusable(_) => (StatusCode::BAD_REQUEST, "the request names no valid host"),
            Self::Trapped(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the guest failed"),
            Self::Silent => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the guest did not answer",
            ),
            Self::Refused(_) | Self::BrokenOff(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the guest reported an error",
            ),
            Self::TimedOut => (
                StatusCode::GATEWAY_TIMEOUT,
                "the guest did not answer in time",
            ),
            Self::Unaudited => UNAUDITED,
        };
        self.note(context, "request failed").await;
        let (status, detail) = if context.request.is_unaudited() {
            UNAUDITED
        } else {
            (status, detail)
        };
        problem::response(status, detail, context.request.id())
    }

    /// Writes the cause into both logs; `what` says in which situation.
    pub(super) async fn note(self, context: &Context, what: &str) {
        let request = context.request.id();
        let cause = match &self {
            Self::Unusable(error) => {
                tracing::debug!(%request, "unusable request: {error:#}");
                return;
            }
            // Why the audit log took nothing was said when it did not.
            Self::Unaudited => return,
            Self::Trapped(error) => cause(error),
            Self::Silent => "guest returned without setting a response".to_owned(),
            Self::Refused(error) => format!("guest set an error as its response: {error}"),
            Self::BrokenOff(error) => format!("guest broke its response off: {error}"),
            Self::TimedOut => {
                let seconds = context.limit.as_secs_f64();
                format!("guest did not finish within {seconds} s")
            }
        };
        tracing::error!(%request, %cause, "{what}");

        let cause = cause[..cause.floor_char_boundary(MAX_CAUSE_BYTES)].into();
        let limit_ms = u64::try_from(context.limit.as_millis()).unwrap_or(u64::MAX);
        let kind = match self {
            Self::TimedOut => return record(context, &Event::GuestTimeout { limit_ms }).await,
            Self::Silent => GuestFailure::NoResponse,
            Self::Refused(_) => GuestFailure::ErrorResponse,
            Self::BrokenOff(_) => GuestFailure::BrokenResponse,
            _ => GuestFailure::Trap,
        };
        record(context, &Event::GuestFailure { kind, cause }).await;
    }
}

const UNAUDITED: (StatusCode, &str) = (
    StatusCode::SERVICE_UNAVAILABLE,
    "the audit log took no record of this request",
);

/// Leaves a record in the audit log, which may take as long as a guest may.
async fn record(context: &Context, event: &Event<'_>) {
    let app = context.instances.app();
    let request = context.request.for_audit();
    let subject = Subject {
        component: Some(app.component()),
        request: Some(&request),
    };
    let id = context.request.id();
    let cause = match timeout(context.limit, app.audit().record(subject, event)).await {
        Ok(Ok(_)) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it took too long".to_owned(),
    };
    context.request.set_unaudited();
    tracing::error!(request = %id, %cause, "the audit log took no record of the failure");
}

/// Why a guest failed, for the log. The names of functions in it are the guest's
/// own words: they must not pass for lines of the log, or steer a terminal.
fn cause(error: &wasmtime::Error) -> String {
    format!("{error:?}")
        .replace('\n', "\n  | ")
        .replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}
