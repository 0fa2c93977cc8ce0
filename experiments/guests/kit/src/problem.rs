//! Problem documents (RFC 9457): error responses.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The error response to a request.
#[derive(Debug)]
pub struct Problem {
    status: u16,
    title: &'static str,
    detail: String,
}

impl Problem {
    /// The request is invalid.
    #[must_use]
    pub fn bad_request(detail: String) -> Self {
        let title = "Bad Request";
        Self {
            status: 400,
            title,
            detail,
        }
    }

    /// The request is not authenticated.
    #[must_use]
    pub fn unauthorized(detail: String) -> Self {
        let title = "Unauthorized";
        Self {
            status: 401,
            title,
            detail,
        }
    }

    /// The path is unknown.
    #[must_use]
    pub fn not_found(detail: String) -> Self {
        let title = "Not Found";
        Self {
            status: 404,
            title,
            detail,
        }
    }

    /// The configuration of the component is invalid.
    #[must_use]
    pub fn misconfigured(detail: String) -> Self {
        let title = "Internal Server Error";
        Self {
            status: 500,
            title,
            detail,
        }
    }

    /// The status code of the response.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of the `WWW-Authenticate` header, which RFC 9110 requires with 401.
    #[must_use]
    pub fn challenge(&self) -> Option<&'static str> {
        (self.status == 401).then_some("Bearer")
    }

    /// The document itself.
    #[must_use]
    #[allow(
        clippy::missing_panics_doc,
        reason = "it never panics: every `str` is a JSON string"
    )]
    pub fn to_json(&self) -> Vec<u8> {
        let Self {
            status,
            title,
            detail,
        } = self;
        let detail = serde_json::to_string(detail).expect("every `str` is a JSON string");
        format!(r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":{detail}}}"#)
            .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    proptest! {
        #[test]
        fn a_problem_with_any_detail_is_valid_json(detail: String) {
            let problem = Problem::not_found(detail.clone());
            let document: Value = serde_json::from_slice(&problem.to_json()).unwrap();
            prop_assert_eq!(document, json!({
                "type": "about:blank",
                "title": "Not Found",
                "status": 404,
                "detail": detail,
            }));
        }
    }

    #[test]
    fn only_401_has_a_www_authenticate_header() {
        let detail = String::new;
        let challenge = Problem::unauthorized(detail()).challenge();
        assert_eq!(challenge, Some("Bearer"));
        assert_eq!(Problem::not_found(detail()).challenge(), None);
        assert_eq!(Problem::misconfigured(detail()).challenge(), None);
    }
}
