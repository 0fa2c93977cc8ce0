//! Responses of the server itself: problem documents (RFC 9457).

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body::Body;
use telemetry::{Rejection, RequestId};

use crate::handler::response::ResponseBody;

/// A problem document, with the request id under which the log has the cause.
pub(crate) fn response(
    status: StatusCode,
    detail: &str,
    request_id: &RequestId,
) -> Response<ResponseBody> {
    let document = serde_json::json!({
        "type": "about:blank",
        "title": title(status),
        "status": status.as_u16(),
        "detail": detail,
        "request_id": request_id.to_string(),
    });
    let body = Bytes::from(document.to_string());
    let mut response = Response::new(ResponseBody::whole(body, None));
    *response.status_mut() = status;
    let problem = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, problem);
    response
}

/// The reason phrase of RFC 9110, which the crate `http` has in older words for some.
fn title(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Some("Content Too Large"),
        _ => status.canonical_reason(),
    }
}

/// The head of a response alone, for HEAD. hyper does that for HTTP/1.1.
pub(crate) fn only_head(mut response: Response<ResponseBody>) -> Response<ResponseBody> {
    let body = std::mem::replace(response.body_mut(), ResponseBody::whole(Bytes::new(), None));
    if let Some(bytes) = body.size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, bytes.into());
    }
    response
}

/// The response to a rejected request.
pub(crate) fn rejection(rejection: Rejection, request_id: &RequestId) -> Response<ResponseBody> {
    let (status, detail) = rejection.response();
    let mut response = response(status, detail, request_id);
    let headers = response.headers_mut();
    if rejection.is_temporary() {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if rejection.ends_connection() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
