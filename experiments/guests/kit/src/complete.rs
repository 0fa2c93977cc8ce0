//! Complete responses, independent of the version of `wasi:http`.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::problem::Problem;

/// A response whose body is in memory.
#[derive(Debug)]
pub struct Complete {
    /// The status code.
    pub status: u16,
    /// Names and values. The names are valid, and no host forbids them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Complete {
    /// A response with text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(200, "text/plain; charset=utf-8", text.as_bytes().to_vec())
    }

    /// A problem document.
    #[must_use]
    pub fn problem(problem: &Problem) -> Self {
        let (status, body) = (problem.status(), problem.to_json());
        let mut response = Self::new(status, "application/problem+json", body);
        let challenge = problem.challenge();
        let challenge = challenge.map(|scheme| header("www-authenticate", scheme));
        response.headers.extend(challenge);
        response
    }

    fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let length = body.len().to_string();
        Self {
            status,
            headers: vec![
                header("content-type", content_type),
                header("content-length", &length),
            ],
            body,
        }
    }
}

/// A header field.
#[must_use]
pub fn header(name: &str, value: &str) -> (String, Vec<u8>) {
    (name.to_string(), value.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_declares_its_type_and_length() {
        let response = Complete::text("hé");
        assert_eq!(
            response.headers,
            [
                header("content-type", "text/plain; charset=utf-8"),
                header("content-length", "3")
            ]
        );
    }

    #[test]
    fn a_problem_of_401_has_a_challenge() {
        let response = Complete::problem(&Problem::unauthorized("why".to_string()));
        assert_eq!(response.status, 401);
        assert_eq!(response.headers[2], header("www-authenticate", "Bearer"));
        let response = Complete::problem(&Problem::not_found("why".to_string()));
        assert_eq!(response.headers.len(), 2);
    }
}
