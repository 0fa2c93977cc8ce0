//! What those see who operate the server: numbers, on a listener of their own.

use std::convert::Infallible;
use std::fmt::Write;
use std::io;
use std::sync::Arc;

use audit_log::AuditLog;
use audit_log::forward::Forwarder;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::server::{Listener, Socket};

/// The media type of the text format of Prometheus.
const TEXT_FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// Answers `GET /metrics` on `listener` until this is dropped.
///
/// # Errors
///
/// Fails if no more connections can be accepted.
pub async fn run(
    listener: Listener,
    audit: AuditLog,
    forwarder: Option<Arc<Forwarder>>,
) -> io::Result<Infallible> {
    loop {
        let (socket, _) = Socket::open(listener.accept().await?).await?;
        let (audit, forwarder) = (audit.clone(), forwarder.clone());
        let service = service_fn(move |request| {
            let response = answer(&request, || metrics(&audit, forwarder.as_deref()));
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(false)
            .serve_connection(TokioIo::new(socket), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("connection of an operator ended early: {error}");
            }
        });
    }
}

fn answer(request: &Request<Incoming>, metrics: impl FnOnce() -> String) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return status(StatusCode::NOT_FOUND);
    }
    if request.method() != Method::GET {
        return status(StatusCode::METHOD_NOT_ALLOWED);
    }
    let mut response = Response::new(Full::new(metrics().into()));
    response.headers_mut().insert(CONTENT_TYPE, TEXT_FORMAT);
    response
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// A number, its kind, and what it counts.
type Metric = (&'static str, &'static str, &'static str, u64);

/// All numbers, in the text format of Prometheus.
fn metrics(audit: &AuditLog, forwarder: Option<&Forwarder>) -> String {
    let mut text = String::new();
    let numbers = forwarder.map(forwarded);
    for (name, kind, help, value) in audited(audit)
        .into_iter()
        .chain(numbers.into_iter().flatten())
    {
        let name = format!("component_runner_{name}");
        // Writing into memory does not fail.
        let _ = write!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
        );
    }
    text
}

fn audited(audit: &AuditLog) -> [Metric; 5] {
    let metrics = audit.metrics();
    [
        (
            "audit_records_total",
            "counter",
            "Records that are in the audit log.",
            metrics.appended,
        ),
        (
            "audit_refused_total",
            "counter",
            "Records that the audit log refused because it could not be written.",
            metrics.refused,
        ),
        (
            "audit_dropped_total",
            "counter",
            "Records that were dropped under the policy best-effort.",
            metrics.dropped,
        ),
        (
            "audit_waiting",
            "gauge",
            "Records that wait to be written.",
            metrics.waiting as u64,
        ),
        (
            "audit_failing",
            "gauge",
            "1 while the audit log cannot be written.",
            u64::from(metrics.is_failing),
        ),
    ]
}

fn forwarded(forwarder: &Forwarder) -> [Metric; 6] {
    let metrics = forwarder.metrics();
    [
        (
            "audit_forwarded_total",
            "counter",
            "Records whose arrival elsewhere was confirmed.",
            metrics.forwarded,
        ),
        (
            "audit_forward_rejected_total",
            "counter",
            "Records that the other side does not take.",
            metrics.rejected,
        ),
        (
            "audit_forward_missing_total",
            "counter",
            "Records that were pruned before they were forwarded.",
            metrics.missing,
        ),
        (
            "audit_forward_lag",
            "gauge",
            "Records whose arrival elsewhere is not confirmed.",
            metrics.lag,
        ),
        (
            "audit_forward_failures_total",
            "counter",
            "How often the connection was lost or could not be made.",
            metrics.failures,
        ),
        (
            "audit_forward_failing",
            "gauge",
            "1 while records cannot be forwarded.",
            u64::from(metrics.is_failing),
        ),
    ]
}
