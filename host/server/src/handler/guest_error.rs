//! Errors of guests: the cause goes to the log, a record to the audit log, and a response without
//! the cause to the client.

use std::fmt;
use std::time::Duration;

use audit_log::event::{Event, GuestFailure};
use audit_log::record::Subject;
use engine::OutOfCpuTime;
use http::{Response, StatusCode};
use memory_limit::MemoryShortage;
use telemetry::metrics::FailureKind;
use telemetry::{Rejection, RequestInfo, Telemetry};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wasmtime::WasmBacktrace;

use crate::handler::response::ResponseBody;
use crate::handler::{Context, problem};

/// The size limit of a cause in the log, in bytes.
const MAX_CAUSE_BYTES: usize = 4096;

/// Time limit of an audit record.
const MAX_RECORD_TIME: Duration = Duration::from_secs(30);

/// Why a request gets no response from a guest, or an incomplete one.
pub(crate) enum GuestError {
    /// The server answers the request without a guest.
    Rejected(Rejection),
    /// The request cannot be passed to a guest, because it names no host.
    Unusable(wasmtime::Error),
    /// The guest could not be instantiated, or trapped.
    Trapped(wasmtime::Error),
    /// The guest returned without a response.
    NoResponse,
    /// The guest set an error instead of a response.
    ErrorResponse(String),
    /// The guest ended its response before it was complete.
    Aborted(String),
    /// The response is above its size limit.
    TooLarge,
    /// The guest exceeded the time limit of its response head.
    TimedOut,
    /// The guest exceeded the time limit of its work after the response.
    NotEnded,
    /// The guest exceeded the time limit between two pieces of its response.
    Idle,
    /// The guest exceeded its limit of processor time.
    OutOfCpuTime,
    /// The audit log refused a record of the request.
    AuditUnavailable,
}

impl From<Rejection> for GuestError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl GuestError {
    /// The error of a guest that ended with `error`.
    pub(crate) fn of_guest(error: wasmtime::Error) -> Self {
        if error.is::<OutOfCpuTime>() {
            Self::OutOfCpuTime
        } else {
            Self::Trapped(error)
        }
    }

    /// The error of a guest whose body ended with `error`.
    pub(crate) fn of_body(error: &wasmtime_wasi_http::Error) -> Self {
        Self::Aborted(match error {
            // Its figure is the part that the guest wrote, or the whole of it.
            wasmtime_wasi_http::Error::HttpResponseBodySize(_) => {
                "it does not have its `content-length`".to_owned()
            }
            other => other.to_string(),
        })
    }

    /// Logs the error, records it in the audit log, and makes the response.
    pub(crate) async fn report(self, context: &Context) -> Response<ResponseBody> {
        let id = context.request.id();
        // The client may send the request again: the guest would have answered.
        let is_temporary = matches!(self, Self::Trapped(_))
            && context.request.memory_shortage() == Some(MemoryShortage::ServerLimit);
        if let Self::Rejected(rejection) = &self {
            return reject(*rejection, &context.request, &context.shared.telemetry);
        }
        let (status, detail) = self.response();
        // Fails only if the server ends.
        let _ = self.report_in_background(context, "request failed").await;
        let (status, detail) = if context.request.is_audit_unavailable() {
            UNAUDITED
        } else if is_temporary {
            context.shared.memory.count_rejection();
            return reject(
                Rejection::OutOfMemory,
                &context.request,
                &context.shared.telemetry,
            );
        } else {
            (status, detail)
        };
        problem::response(status, detail, id)
    }

    /// Status and detail of the response.
    pub(crate) fn response(&self) -> (StatusCode, &'static str) {
        const FAILED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

        match self {
            Self::Rejected(rejection) => rejection.response(),
            Self::Unusable(_) => (StatusCode::BAD_REQUEST, "the request names no valid host"),
            Self::Trapped(_) => (FAILED, "the guest failed"),
            Self::NoResponse => (FAILED, "the guest did not answer"),
            Self::ErrorResponse(_) | Self::Aborted(_) => (FAILED, "the guest reported an error"),
            Self::TooLarge => (FAILED, "the response is too large"),
            Self::TimedOut | Self::NotEnded | Self::Idle | Self::OutOfCpuTime => (
                StatusCode::GATEWAY_TIMEOUT,
                "the guest did not answer in time",
            ),
            Self::AuditUnavailable => UNAUDITED,
        }
    }

    /// The label of metrics, if the guest is the cause.
    fn kind(&self, request: &RequestInfo) -> Option<FailureKind> {
        match self {
            Self::Rejected(_) | Self::Unusable(_) => None,
            Self::Trapped(_) if request.memory_shortage().is_some() => Some(FailureKind::Memory),
            Self::Trapped(_) => Some(FailureKind::Trap),
            Self::NoResponse => Some(FailureKind::NoResponse),
            Self::ErrorResponse(_) => Some(FailureKind::ErrorResponse),
            Self::Aborted(_) | Self::TooLarge => Some(FailureKind::BrokenResponse),
            Self::TimedOut | Self::NotEnded | Self::Idle => Some(FailureKind::Timeout),
            Self::OutOfCpuTime => Some(FailureKind::Cpu),
            Self::AuditUnavailable => Some(FailureKind::AuditUnavailable),
        }
    }

    /// Logs, records and counts the error in a task of its own, which continues when the client
    /// leaves. `what` names the phase of the request.
    pub(crate) fn report_in_background(
        self,
        context: &Context,
        what: &'static str,
    ) -> JoinHandle<()> {
        let context = context.clone();
        tokio::task::spawn_local(async move { self.note(&context, what).await })
    }

    async fn note(self, context: &Context, what: &str) {
        if let Some(kind) = self.kind(&context.request) {
            let telemetry = &context.served.telemetry;
            telemetry.record_failure(&context.request, kind);
        }
        let request = context.request.id();
        let settings = context.served.settings();
        let (limit, idle_limit) = (settings.request_timeout, settings.response_idle_timeout);
        let post_return_limit = settings.post_return_timeout;
        let cpu_limit = context.served.function.app().limits().cpu_time;
        let cause = match &self {
            Self::Unusable(error) => {
                tracing::debug!(%request, "unusable request: {error:#}");
                return;
            }
            // The audit log has logged why it refused the record.
            Self::AuditUnavailable | Self::Rejected(_) => return,
            Self::Trapped(error) => cause(error),
            Self::NoResponse => "guest returned without setting a response".to_owned(),
            Self::ErrorResponse(error) => {
                beginning(format_args!("guest set an error as its response: {error}"))
            }
            Self::Aborted(error) => {
                beginning(format_args!("guest broke its response off: {error}"))
            }
            Self::TooLarge => {
                let bytes = context.shared.settings.bodies.max_response_bytes;
                format!("response has more than {bytes} bytes")
            }
            Self::TimedOut => format!("guest did not finish within {} s", limit.as_secs_f64()),
            Self::NotEnded => format!(
                "guest did not end within {} s after its response",
                post_return_limit.as_secs_f64()
            ),
            Self::Idle => format!(
                "guest did not go on with its response within {} s",
                idle_limit.as_secs_f64()
            ),
            Self::OutOfCpuTime => {
                format!("guest computed for more than {} s", cpu_limit.as_secs_f64())
            }
        };
        let function = context
            .request
            .component()
            .map(|component| &*component.name);
        let segment = context.served.function.segment();
        let shown = segment.map(tracing::field::display);
        tracing::error!(%request, %cause, function, segment = shown, "{what}");
        let place = segment.map(|segment| format!(" in {segment}"));
        let place = place.unwrap_or_default();
        let mut lines = cause.lines();
        let first = lines.next().unwrap_or_default();
        context
            .request
            .append_log_line(format_args!("{request} {what}{place}: {first}"));
        for line in lines {
            context
                .request
                .append_log_line(format_args!("{request}   | {line}"));
        }

        let cause = cause.into();
        let kind = match self {
            Self::TimedOut => return record(context, &timeout_of(limit)).await,
            Self::NotEnded => return record(context, &timeout_of(post_return_limit)).await,
            Self::Idle => return record(context, &timeout_of(idle_limit)).await,
            Self::OutOfCpuTime => return record(context, &timeout_of(cpu_limit)).await,
            Self::NoResponse => GuestFailure::NoResponse,
            Self::ErrorResponse(_) => GuestFailure::ErrorResponse,
            Self::Aborted(_) | Self::TooLarge => GuestFailure::BrokenResponse,
            _ => GuestFailure::Trap,
        };
        record(context, &Event::GuestFailure { kind, cause }).await;
    }
}

/// The response to a rejected request, which is counted.
pub(crate) fn reject(
    rejection: Rejection,
    request: &RequestInfo,
    telemetry: &Telemetry,
) -> Response<ResponseBody> {
    tracing::debug!(request = %request.id(), "rejected: {}", rejection.response().1);
    telemetry.record_rejection(rejection.reason());
    problem::rejection(rejection, request.id())
}

fn timeout_of(limit: Duration) -> Event<'static> {
    let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    Event::GuestTimeout { limit_ms }
}

const UNAUDITED: (StatusCode, &str) = (
    StatusCode::SERVICE_UNAVAILABLE,
    "the audit log took no record of this request",
);

/// Writes an audit record within the time limit of the request, and at most [`MAX_RECORD_TIME`].
async fn record(context: &Context, event: &Event<'_>) {
    let app = context.served.function.app();
    let request = context.request.for_audit();
    let subject = Subject {
        component: Some(app.component()),
        request: Some(&request),
    };
    let id = context.request.id();
    let limit = context.served.settings().request_timeout;
    let limit = limit.min(MAX_RECORD_TIME);
    let cause = match timeout(limit, app.audit().record(subject, event)).await {
        Ok(Ok(_)) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it took too long".to_owned(),
    };
    context.request.set_audit_unavailable();
    tracing::error!(request = %id, %cause, "the audit log took no record of the failure");
}

/// The cause of a failure for the log: the error chain, and from the next line on the stack of the
/// guest, which may be too long for the rest. Names of functions in it are foreign text: they must
/// not pass for lines of the log, or control a terminal.
fn cause(error: &wasmtime::Error) -> String {
    sanitize::text(Cause(error))
        .at_most(MAX_CAUSE_BYTES)
        .to_string()
}

struct Cause<'a>(&'a wasmtime::Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for cause in self.0.chain().filter(|cause| !is_stack(cause)) {
            write!(f, "{separator}{cause}")?;
            separator = ": ";
        }
        match self.0.downcast_ref::<WasmBacktrace>() {
            Some(stack) => write!(f, "\n{stack}"),
            None => Ok(()),
        }
    }
}

/// Whether this error of the chain is the stack of a guest, by its beginning: names on the stack
/// may be of any length.
fn is_stack(cause: &dyn std::error::Error) -> bool {
    const STACK: &str = "error while executing at wasm backtrace:";

    let beginning = sanitize::text(cause).at_most(STACK.len());
    beginning.to_string().starts_with(STACK)
}

/// The beginning of a message of a guest, which may be of any length.
fn beginning(message: fmt::Arguments<'_>) -> String {
    sanitize::line(message).at_most(MAX_CAUSE_BYTES).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_chain_precedes_the_stack_and_is_not_truncated() {
        let long = format!("(func ${} unreachable)", "f".repeat(2 * MAX_CAUSE_BYTES));
        let module = format!("(module {long} (start 0))");
        let engine = wasmtime::Engine::default();
        let module = wasmtime::Module::new(&engine, wat::parse_str(module).unwrap()).unwrap();
        let mut store = wasmtime::Store::new(&engine, ());
        let error = wasmtime::Instance::new(&mut store, &module, &[]).unwrap_err();
        let text = cause(&error.context("the guest failed"));
        let mut lines = text.lines();
        let first = lines.next().unwrap();
        assert!(first.starts_with("the guest failed: wasm trap: "), "{text}");
        assert!(first.contains("unreachable"), "{text}");
        assert_eq!(
            lines.next(),
            Some("error while executing at wasm backtrace:")
        );
        assert!(text.len() < MAX_CAUSE_BYTES + 10);
    }
}
