//! What those see who operate the server: numbers, on a listener of their own.

use std::convert::Infallible;
use std::fmt::Write;
use std::io;

use audit_log::AuditLog;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

/// The media type of the text format of Prometheus.
const TEXT_FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// Answers `GET /metrics` on `listener` until this is dropped.
///
/// # Errors
///
/// Fails if no more connections can be accepted.
pub async fn run(listener: TcpListener, audit: AuditLog) -> io::Result<Infallible> {
    loop {
        let (stream, _) = listener.accept().await?;
        let audit = audit.clone();
        let service = service_fn(move |request| {
            let response = answer(&request, &audit);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("connection of an operator ended early: {error}");
            }
        });
    }
}

fn answer(request: &Request<Incoming>, audit: &AuditLog) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return status(StatusCode::NOT_FOUND);
    }
    if request.method() != Method::GET {
        return status(StatusCode::METHOD_NOT_ALLOWED);
    }
    let mut response = Response::new(Full::new(metrics(audit).into()));
    response.headers_mut().insert(CONTENT_TYPE, TEXT_FORMAT);
    response
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// The numbers of the audit log, in the text format of Prometheus.
fn metrics(audit: &AuditLog) -> String {
    let metrics = audit.metrics();
    let all = [
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
    ];
    let mut text = String::new();
    for (name, kind, help, value) in all {
        let name = format!("component_runner_{name}");
        // Writing into memory does not fail.
        let _ = write!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
        );
    }
    text
}
