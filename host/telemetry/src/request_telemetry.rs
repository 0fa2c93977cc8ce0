//! Telemetry of each request: metrics, a line of the access log, and a span of its trace.
//!
//! The handler starts a [`RequestTelemetry`] for each request, records status and sent bytes in
//! it, and drops it at the end of the request, whatever the outcome. The drop reports to metrics,
//! access log and tracer.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use audit_log::record::Component;
use http::header::{HeaderName, HeaderValue, REFERER, USER_AGENT};
use http::{HeaderMap, Request, StatusCode, Version};
use sanitize::truncate;

use crate::access_log::{AccessLog, Line, RequestLine};
use crate::metrics::{CLIENT_CLOSED_REQUEST, FailureKind, FunctionMetrics, Metrics, Reason};
use crate::traces::{RequestAttributes, Span, SpanContext, Tracer};
use crate::{Heartbeats, RequestInfo};

/// Maximum length of a path or a header in a span, in bytes.
const MAX_TEXT_BYTES: usize = 1024;

/// The destinations of telemetry.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// The metrics of the server.
    pub metrics: Arc<Metrics>,
    /// The access log, if enabled.
    pub access_log: Option<Arc<AccessLog>>,
    /// The tracer, if traces are exported.
    pub tracer: Option<Arc<Tracer>>,
    /// The heartbeats of the workers' event loops.
    pub workers: Arc<Heartbeats>,
}

/// Telemetry of the requests to one component.
#[derive(Debug, Clone)]
pub struct FunctionTelemetry {
    telemetry: Telemetry,
    metrics: Arc<FunctionMetrics>,
    component: Arc<Component<'static>>,
}

/// Telemetry of one request, from the end of its head until this is dropped.
#[must_use]
pub struct RequestTelemetry {
    function: Arc<FunctionTelemetry>,
    request: Arc<RequestInfo>,
    start: Instant,
    status: Option<StatusCode>,
    sent_bytes: u64,
    /// Present if the access log or a trace needs them.
    details: Option<Box<RequestDetails>>,
}

/// Facts about a request beyond its metrics.
struct RequestDetails {
    version: Version,
    is_tls: bool,
    referer: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    context: Option<SpanContext>,
}

impl Telemetry {
    /// Telemetry with metrics only.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            access_log: None,
            tracer: None,
            workers: Arc::default(),
        }
    }

    /// Telemetry of one component, which has these metrics.
    #[must_use]
    pub fn for_component(
        &self,
        component: Arc<Component<'static>>,
        metrics: Arc<FunctionMetrics>,
    ) -> Arc<FunctionTelemetry> {
        Arc::new(FunctionTelemetry {
            component,
            metrics,
            telemetry: self.clone(),
        })
    }

    /// Telemetry of requests that match no component. The access log and the traces have them; the
    /// metrics count them only as rejections, by reason.
    #[must_use]
    pub fn unrouted(&self) -> Arc<FunctionTelemetry> {
        let component = Component {
            name: "-".into(),
            sha256: "-".into(),
        };
        let metrics = FunctionMetrics::new(&component.name);
        self.for_component(Arc::new(component), Arc::new(metrics))
    }

    /// Counts a rejected request or connection. If it is a parsed request, its
    /// [`RequestTelemetry`] also reports it, as any other.
    pub fn record_rejection(&self, reason: Reason) {
        self.metrics.record_rejection(reason);
    }

    /// Logs a request that cannot be parsed, or a rejected connection, in the access log, so that
    /// the log also shows such attempts and their peers.
    pub fn log_unparsed(&self, status: StatusCode, peer: Option<SocketAddr>, request_id: &str) {
        let Some(log) = &self.access_log else { return };
        log.log(&Line {
            peer: peer.map(|peer| peer.ip()),
            user: None,
            time: SystemTime::now(),
            request: None,
            status: status.as_u16(),
            bytes: 0,
            referer: None,
            user_agent: None,
            request_id,
            duration: Duration::ZERO,
            function: None,
        });
    }
}

impl FunctionTelemetry {
    /// The metrics of the component.
    #[must_use]
    pub fn metrics(&self) -> &Arc<FunctionMetrics> {
        &self.metrics
    }

    /// The component.
    #[must_use]
    pub fn component(&self) -> &Component<'static> {
        &self.component
    }

    /// The telemetry of the server.
    #[must_use]
    pub fn server(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Counts a failure of the guest in `request`, which may have ended.
    pub fn record_failure(&self, request: &RequestInfo, kind: FailureKind) {
        request.set_failure(kind);
        self.metrics.record_failure(kind);
    }

    /// Starts the telemetry of a request whose head is complete.
    pub fn start_request<B>(
        self: &Arc<Self>,
        request: &Request<B>,
        info: &Arc<RequestInfo>,
        is_tls: bool,
    ) -> RequestTelemetry {
        let Telemetry {
            access_log, tracer, ..
        } = &self.telemetry;
        let context = tracer
            .as_ref()
            .and_then(|_| SpanContext::child_of(info.trace_parent()));
        let details = (access_log.is_some() || context.is_some()).then(|| {
            Box::new(RequestDetails {
                version: request.version(),
                is_tls,
                referer: header(request.headers(), &REFERER),
                user_agent: header(request.headers(), &USER_AGENT),
                context,
            })
        });
        self.metrics.request_started();
        RequestTelemetry {
            function: self.clone(),
            request: info.clone(),
            start: Instant::now(),
            status: None,
            sent_bytes: 0,
            details,
        }
    }
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    headers.get(name).cloned()
}

impl RequestTelemetry {
    /// Sets the status of the response. Without one, the client closed the request before.
    pub fn set_status(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Adds to the number of sent body bytes.
    pub fn add_sent_bytes(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
    }

    fn log(&self, log: &AccessLog, details: &RequestDetails, end: SystemTime, duration: Duration) {
        let request = &self.request;
        log.log(&Line {
            peer: request.peer().map(|peer| peer.ip()),
            user: request.principal(),
            time: end.checked_sub(duration).unwrap_or(end),
            request: Some(RequestLine {
                method: request.method().as_str(),
                path: request.path(),
                version: details.version,
            }),
            status: self
                .status
                .map_or(CLIENT_CLOSED_REQUEST, |status| status.as_u16()),
            bytes: self.sent_bytes,
            referer: details.referer.as_ref().map(HeaderValue::as_bytes),
            user_agent: details.user_agent.as_ref().map(HeaderValue::as_bytes),
            request_id: &request.id().to_string(),
            duration,
            function: request.component().map(|c| (&*c.name, &*c.sha256)),
        });
    }

    fn span(
        &self,
        context: SpanContext,
        details: &RequestDetails,
        end: SystemTime,
        duration: Duration,
    ) -> Span {
        let request = &self.request;
        let agent = details.user_agent.as_ref();
        let agent = agent.map(|agent| {
            truncate(&String::from_utf8_lossy(agent.as_bytes()), MAX_TEXT_BYTES).into()
        });
        Span {
            context,
            end,
            duration,
            request: RequestAttributes {
                component: self.function.component.clone(),
                request_id: request.id().to_string().into(),
                method: truncate(request.method().as_str(), MAX_TEXT_BYTES).into(),
                path: truncate(request.path(), MAX_TEXT_BYTES).into(),
                is_tls: details.is_tls,
                version: details.version,
                peer: request.peer(),
                user_agent: agent,
                status: self.status.map(|status| status.as_u16()),
                failure: request.failure().map(FailureKind::label),
            },
        }
    }
}

impl Drop for RequestTelemetry {
    fn drop(&mut self) {
        let FunctionTelemetry {
            telemetry, metrics, ..
        } = &*self.function;
        let duration = self.start.elapsed();
        let code = self
            .status
            .map_or(CLIENT_CLOSED_REQUEST, |status| status.as_u16());
        metrics.request_finished(self.request.method(), code, duration);
        let Some(details) = &self.details else { return };
        let end = SystemTime::now();
        if let Some(log) = &telemetry.access_log {
            self.log(log, details, end, duration);
        }
        if let (Some(tracer), Some(context)) = (&telemetry.tracer, details.context) {
            tracer.send(self.span(context, details, end, duration));
        }
    }
}

impl fmt::Debug for RequestTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestTelemetry")
            .field("request", &self.request)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::runtime::Builder;

    use super::*;
    use crate::access_log::Destination;
    use crate::metrics::ActiveVersion;

    fn function(telemetry: &Telemetry) -> Arc<FunctionTelemetry> {
        let component = Component {
            name: "app".into(),
            sha256: "00ff".into(),
        };
        let metrics = telemetry
            .metrics
            .add(&component.name, ActiveVersion::default());
        telemetry.for_component(component.into(), metrics)
    }

    fn start(function: &Arc<FunctionTelemetry>) -> RequestTelemetry {
        let request = Request::builder()
            .uri("/a?secret=1")
            .header(USER_AGENT, "test")
            .body(())
            .unwrap();
        let peer = ([192, 0, 2, 7], 1234).into();
        let info = Arc::new(RequestInfo::new(&request, Some(peer), None));
        function.start_request(&request, &info, false)
    }

    #[test]
    fn responses_499_and_unparsed_requests_each_have_an_access_log_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let log = AccessLog::start(&Destination::from_path(&path)).unwrap();
        let mut telemetry = Telemetry::new(Metrics::new());
        telemetry.access_log = Some(Arc::new(log));
        let function = function(&telemetry);

        let mut responded = start(&function);
        responded.set_status(StatusCode::OK);
        responded.add_sent_bytes(3);
        responded.add_sent_bytes(4);
        drop(responded);
        drop(start(&function));
        let peer = Some(([192, 0, 2, 7], 1234).into());
        telemetry.log_unparsed(StatusCode::BAD_REQUEST, peer, "id");

        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let log = telemetry.access_log.as_ref().unwrap();
        runtime.block_on(log.close(Duration::from_secs(30)));
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        let has = |line: &str, part: &str| assert!(line.contains(part), "{part}: {line}");
        has(lines[0], "] \"GET /a HTTP/1.1\" 200 7 \"-\" \"test\" ");
        has(lines[1], "] \"GET /a HTTP/1.1\" 499 0 \"-\" \"test\" ");
        has(lines[2], "] \"-\" 400 0 \"-\" \"-\" id 0");
        assert!(lines.iter().all(|line| line.starts_with("192.0.2.7 - - [")));
    }

    #[test]
    fn without_access_log_and_tracer_only_metrics_are_collected() {
        let telemetry = Telemetry::new(Metrics::new());
        let request = start(&function(&telemetry));
        assert!(request.details.is_none());
    }

    #[test]
    fn record_failure_sets_the_failure_of_the_request() {
        let telemetry = Telemetry::new(Metrics::new());
        let function = function(&telemetry);
        let request = start(&function);
        assert_eq!(request.request.failure(), None);
        function.record_failure(&request.request, FailureKind::BrokenResponse);
        let failure = request.request.failure();
        assert_eq!(failure, Some(FailureKind::BrokenResponse));
    }
}
