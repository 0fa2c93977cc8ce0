//! JSON over HTTP in front of a cipher, independent of the version of `wasi:http`: the code that
//! the adapters for WASI 0.2 and 0.3 share.
//!
//! - `message`: the two JSON documents, request and result
//! - `problem`: all error responses (RFC 9457)
//! - `body`: a request body while it is read, within its limit
//! - this file: the checks of a request, in the order of the adapters, and its response
#![no_std]

extern crate alloc;

mod body;
mod message;
mod problem;

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

pub use body::Body;
pub use message::render;
pub use problem::Problem;

/// Maximum length of a message, in bytes of UTF-8: 1 MiB.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Maximum length of a body in bytes: the longest message without escapes, and the JSON around
/// it.
const MAX_BODY_BYTES: usize = MAX_MESSAGE_BYTES + 1024;

/// The function of the cipher that a request calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// `POST /encrypt`
    Encrypt,
    /// `POST /decrypt`
    Decrypt,
}

/// Selects the operation by path and method. The query is ignored.
///
/// # Errors
///
/// Returns 404 for an unknown path, and 405 for a method other than POST.
pub fn route(path_with_query: &str, is_post: impl FnOnce() -> bool) -> Result<Operation, Problem> {
    let path = before(path_with_query, b'?');
    let operation = match path {
        "/encrypt" => Operation::Encrypt,
        "/decrypt" => Operation::Decrypt,
        _ => return Err(Problem::not_found(path)),
    };
    if !is_post() {
        return Err(Problem::method_not_allowed(path));
    }
    Ok(operation)
}

/// Checks the headers, of which `values` returns those of one name, and returns the empty body.
///
/// # Errors
///
/// Returns 415 for a content type other than JSON, and 413 for a declared length beyond the limit.
pub fn start_body(values: impl Fn(&str) -> Vec<Vec<u8>>) -> Result<Body, Problem> {
    check_content_type(&values("content-type"))?;
    Body::new(declared_length(&values("content-length")))
}

/// Accepts JSON, with or without parameters, and requests without a content type.
fn check_content_type(values: &[Vec<u8>]) -> Result<(), Problem> {
    for value in values {
        let value = String::from_utf8_lossy(value);
        let media_type = before(&value, b';').trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Problem::unsupported_media_type(media_type));
        }
    }
    Ok(())
}

/// The text before the first `separator`, which is ASCII, or all of it.
fn before(text: &str, separator: u8) -> &str {
    let end = text.bytes().position(|byte| byte == separator);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// The length of the body in bytes, if the request declares it.
fn declared_length(values: &[Vec<u8>]) -> Option<usize> {
    core::str::from_utf8(values.first()?).ok()?.parse().ok()
}

/// Parses the message of a complete body.
///
/// # Errors
///
/// Returns 400 for a body that is not a request document, and 413 for a message beyond the limit.
pub fn parse_message(body: &[u8]) -> Result<Cow<'_, str>, Problem> {
    let message = message::parse(body).map_err(|error| Problem::bad_request(&error))?;
    if message.len() > MAX_MESSAGE_BYTES {
        return Err(Problem::too_large());
    }
    Ok(message)
}

/// A complete response.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names and values. The names are valid, and no host forbids them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The result document or the problem document.
    pub body: Vec<u8>,
}

impl Response {
    /// The response with a result document or with a problem.
    #[must_use]
    pub fn new(result: Result<Vec<u8>, Problem>) -> Self {
        match result {
            Ok(body) => Self::with_headers(200, "application/json", None, body),
            Err(problem) => Self::with_headers(
                problem.status(),
                "application/problem+json",
                problem.allowed_method(),
                problem.to_json(),
            ),
        }
    }

    fn with_headers(status: u16, content_type: &str, allow: Option<&str>, body: Vec<u8>) -> Self {
        let text = |value: &str| value.as_bytes().to_vec();
        let mut headers = vec![
            ("content-type".to_owned(), text(content_type)),
            (
                "content-length".to_owned(),
                text(&format!("{}", body.len())),
            ),
        ];
        if let Some(method) = allow {
            headers.push(("allow".to_owned(), text(method)));
        }
        Self {
            status,
            headers,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status of the problem.
    fn status<T: core::fmt::Debug>(result: Result<T, Problem>) -> u16 {
        result.unwrap_err().status()
    }

    fn start(headers: &[(&str, &str)]) -> Result<Body, Problem> {
        start_body(|name| {
            let values = headers.iter().filter(|(known, _)| *known == name);
            values.map(|(_, value)| value.as_bytes().to_vec()).collect()
        })
    }

    #[test]
    fn the_path_without_its_query_selects_the_operation() {
        assert_eq!(route("/encrypt", || true).unwrap(), Operation::Encrypt);
        assert_eq!(route("/decrypt?a?b", || true).unwrap(), Operation::Decrypt);
        for unknown in ["", "/", "/encrypt/", "/ENCRYPT", "?/encrypt"] {
            assert_eq!(status(route(unknown, || true)), 404, "{unknown:?}");
        }
    }

    #[test]
    fn an_unknown_path_is_404_with_any_method_and_a_known_one_405() {
        assert_eq!(status(route("/other", || false)), 404);
        assert_eq!(status(route("/decrypt", || false)), 405);
    }

    #[test]
    fn content_type_is_optional_and_otherwise_json() {
        for accepted in [
            &[][..],
            &[("content-type", "application/json")],
            &[("content-type", "Application/JSON ; charset=utf-8")],
        ] {
            assert!(start(accepted).is_ok(), "{accepted:?}");
        }
        for rejected in [
            &[("content-type", "")][..],
            &[("content-type", "text/plain")],
            &[
                ("content-type", "application/json"),
                ("content-type", "a/b"),
            ],
        ] {
            assert_eq!(status(start(rejected)), 415, "{rejected:?}");
        }
    }

    #[test]
    fn a_wrong_content_type_is_415_before_a_declared_length_is_413() {
        let too_long = ("content-length", "1049601");
        assert_eq!(status(start(&[too_long, ("content-type", "a/b")])), 415);
        assert_eq!(status(start(&[too_long])), 413);
    }

    #[test]
    fn a_message_of_1_mib_is_accepted_and_a_longer_one_is_413() {
        let document = |bytes| format!(r#"{{"message":"{}"}}"#, "a".repeat(bytes));
        let longest = document(MAX_MESSAGE_BYTES);
        assert_eq!(
            parse_message(longest.as_bytes()).unwrap().len(),
            MAX_MESSAGE_BYTES
        );
        let longer = document(MAX_MESSAGE_BYTES + 1);
        assert_eq!(status(parse_message(longer.as_bytes())), 413);
        assert_eq!(status(parse_message(b"{}")), 400);
    }

    #[test]
    fn a_response_has_the_length_of_its_body_and_405_an_allow_header() {
        let names = |response: &Response| -> Vec<String> {
            let headers = response.headers.iter();
            headers
                .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
                .collect()
        };
        let result = Response::new(Ok(render("abc")));
        assert_eq!(result.status, 200);
        assert_eq!(
            names(&result),
            ["content-type: application/json", "content-length: 16"]
        );
        let problem = Response::new(Err(Problem::method_not_allowed("/encrypt")));
        assert_eq!(problem.status, 405);
        let length = format!("content-length: {}", problem.body.len());
        assert_eq!(
            names(&problem),
            [
                "content-type: application/problem+json",
                length.as_str(),
                "allow: POST"
            ]
        );
    }
}
