//! Problem documents (RFC 9457): all error responses.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Display;

use crate::message::push_string;
use crate::{MAX_BODY_BYTES, MAX_MESSAGE_BYTES};

/// The error response to a request.
#[derive(Debug)]
pub struct Problem {
    status: u16,
    title: &'static str,
    detail: String,
}

impl Problem {
    fn new(status: u16, title: &'static str, detail: String) -> Self {
        Self {
            status,
            title,
            detail,
        }
    }

    /// The body is not a valid request document.
    #[must_use]
    pub fn bad_request(why: &dyn Display) -> Self {
        Self::new(400, "Bad Request", format!("{why}"))
    }

    /// `path` is unknown.
    pub(crate) fn not_found(path: &str) -> Self {
        Self::new(
            404,
            "Not Found",
            format!("unknown path `{path}`; expected `/encrypt` or `/decrypt`"),
        )
    }

    /// `path` does not accept the method.
    pub(crate) fn method_not_allowed(path: &str) -> Self {
        Self::new(
            405,
            "Method Not Allowed",
            format!("method not allowed at `{path}`; allowed: POST"),
        )
    }

    /// The message or the body exceeds its limit.
    pub(crate) fn too_large() -> Self {
        let detail = format!(
            "the message must not exceed {MAX_MESSAGE_BYTES} bytes, and the body {MAX_BODY_BYTES} bytes"
        );
        Self::new(413, "Content Too Large", detail)
    }

    /// The content type is not JSON.
    pub(crate) fn unsupported_media_type(found: &str) -> Self {
        Self::new(
            415,
            "Unsupported Media Type",
            format!("expected `application/json`, found `{found}`"),
        )
    }

    /// The configuration of the cipher is invalid.
    #[must_use]
    pub fn misconfigured(why: String) -> Self {
        Self::new(500, "Internal Server Error", why)
    }

    /// The audit log rejected the entry, so the message was not transformed.
    #[must_use]
    pub fn unaudited(why: &str) -> Self {
        let detail =
            format!("the audit log rejected the entry, so the message was not transformed: {why}");
        Self::new(503, "Service Unavailable", detail)
    }

    /// The status code of the response.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The value of the `Allow` header, which RFC 9110 requires with 405.
    pub(crate) fn allowed_method(&self) -> Option<&'static str> {
        (self.status == 405).then_some("POST")
    }

    /// The document itself.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let Self {
            status,
            title,
            detail,
        } = self;
        let mut document =
            format!(r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"#)
                .into_bytes();
        push_string(&mut document, detail);
        document.push(b'}');
        document
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_with_any_detail_is_valid_json() {
        let problem = Problem::not_found("/\"\\\n\u{7f}");
        let document: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
        assert_eq!(document["type"], "about:blank");
        assert_eq!(document["title"], "Not Found");
        assert_eq!(document["status"], 404);
        assert_eq!(
            document["detail"],
            "unknown path `/\"\\\n\u{7f}`; expected `/encrypt` or `/decrypt`"
        );
    }

    #[test]
    fn a_misconfigured_cipher_is_500_and_a_rejected_audit_entry_503() {
        assert_eq!(Problem::misconfigured("why".into()).status(), 500);
        let unaudited = Problem::unaudited("why");
        assert_eq!(unaudited.status(), 503);
        assert!(unaudited.detail.ends_with(": why"));
    }

    #[test]
    fn only_405_has_an_allow_header() {
        assert_eq!(
            Problem::method_not_allowed("/encrypt").allowed_method(),
            Some("POST")
        );
        assert_eq!(Problem::not_found("/").allowed_method(), None);
    }
}
