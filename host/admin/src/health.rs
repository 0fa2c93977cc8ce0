//! Responses of the health and metrics endpoints, and problem documents.

use std::iter;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, VARY};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use telemetry::metrics::{Exporter, Format};

use super::{Liveness, Readiness};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The methods of all these paths.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");

/// The response to a request. For HEAD, hyper omits the body.
pub(super) async fn respond<B>(
    request: &Request<B>,
    liveness: &Liveness,
    readiness: &Readiness,
    exporter: &Exporter,
) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if !["/livez", "/readyz", "/metrics"].contains(&path) {
        let known = "unknown path; expected /livez, /readyz or /metrics";
        return problem(StatusCode::NOT_FOUND, known);
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = problem(
            StatusCode::METHOD_NOT_ALLOWED,
            "method not allowed; allowed: GET, HEAD",
        );
        response.headers_mut().insert(ALLOW, METHODS);
        return response;
    }
    match path {
        "/livez" => match liveness.obstacle().await {
            None => response(StatusCode::OK, TEXT, "alive\n"),
            Some(why) => problem(StatusCode::SERVICE_UNAVAILABLE, &why),
        },
        "/readyz" => match readiness.obstacle() {
            None => response(StatusCode::OK, TEXT, ready(readiness)),
            Some(why) => problem(StatusCode::SERVICE_UNAVAILABLE, why),
        },
        _ => {
            let format = Format::accepted(request.headers());
            let text = exporter.text(format);
            let mut response = response(StatusCode::OK, format.media_type(), text);
            let headers = response.headers_mut();
            headers.insert(VARY, HeaderValue::from_static(Format::HEADER));
            response
        }
    }
}

/// The body of `/readyz`: `ready`, rejections for lack of memory, and the functions that are not
/// served. The log and the list of functions have the causes.
fn ready(readiness: &Readiness) -> String {
    let refused = readiness.refused_for_memory().map(|(requests, growths)| {
        format!(
            "refused for lack of memory since the start: {requests} requests, {growths} growths \
             of memories of guests\n"
        )
    });
    let unserved = readiness.unserved().into_iter();
    let unserved = unserved.map(|name| format!("not served: {name}\n"));
    iter::once("ready\n".to_owned())
        .chain(refused)
        .chain(unserved)
        .collect()
}

fn response(
    status: StatusCode,
    media_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A JSON document.
pub(super) fn json(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    response(status, JSON, text)
}

/// A problem document (RFC 9457).
pub(super) fn problem(status: StatusCode, detail: &str) -> Response<Full<Bytes>> {
    let document = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
    });
    response(status, PROBLEM, document.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use audit_log::{AuditLog, Location, Settings};
    use tokio::runtime::Builder;

    use super::*;
    use telemetry::metrics::{Metrics, Sources};

    fn exporter() -> Exporter {
        Exporter::new(Sources {
            metrics: Metrics::new(),
            audit: AuditLog::open(&Settings::new(Location::None)).unwrap(),
            forwarder: None,
            access_log: None,
            tracer: None,
        })
    }

    fn request(method: Method, path: &str, readiness: &Readiness) -> Response<Full<Bytes>> {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(()).unwrap();
        let liveness = Liveness::new(Arc::default());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(respond(&request, &liveness, readiness, &exporter()))
    }

    #[test]
    fn readyz_is_200_from_startup_to_shutdown() {
        let readiness = Readiness::new(None);
        let status = |readiness| request(Method::GET, "/readyz", readiness).status();
        assert_eq!(status(&readiness), StatusCode::SERVICE_UNAVAILABLE);
        readiness.begin();
        assert_eq!(status(&readiness), StatusCode::OK);
        readiness.drains();
        assert_eq!(status(&readiness), StatusCode::SERVICE_UNAVAILABLE);
        let alive = request(Method::GET, "/livez", &readiness);
        assert_eq!(alive.status(), StatusCode::OK);
    }

    #[test]
    fn livez_ignores_a_query() {
        let readiness = Readiness::new(None);
        let response = request(Method::GET, "/livez?verbose", &readiness);
        assert_eq!(response.status(), StatusCode::OK);
    }

    #[test]
    fn unknown_path_and_method_give_a_problem_document() {
        let readiness = Readiness::new(None);
        for (method, path, status) in [
            (Method::GET, "/", StatusCode::NOT_FOUND),
            (Method::POST, "/metrics", StatusCode::METHOD_NOT_ALLOWED),
        ] {
            let response = request(method, path, &readiness);
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        }
    }

    #[test]
    fn metrics_have_the_media_type_of_their_format() {
        let response = request(Method::HEAD, "/metrics", &Readiness::new(None));
        let media_type = Format::Prometheus.media_type();
        assert_eq!(response.headers()[CONTENT_TYPE], media_type);
    }
}
