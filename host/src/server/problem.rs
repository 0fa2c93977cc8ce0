//! What the server answers where no guest does: problem documents (RFC 9457).

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::body::ResponseBody;
use crate::RequestId;

/// Carries the request id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A response of the server itself. It says what the client may know, and the
/// request id under which the log has the cause.
pub(super) fn response(
    status: StatusCode,
    detail: &str,
    request_id: RequestId,
) -> Response<ResponseBody> {
    let request_id = request_id.to_string();
    let document = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
        "request_id": request_id,
    });
    let mut response = Response::new(ResponseBody::full(document.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let problem = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, problem);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}
