//! The table of requests to the cipher service and the expected responses.
//!
//! [`for_each_case`](crate::for_each_case) passes the names of all cases to a macro of the caller,
//! so that every case becomes a test of its own:
//!
//! ```
//! macro_rules! names {
//!     ($($name:ident)*) => { [$(stringify!($name)),*] };
//! }
//! let names = end_to_end::for_each_case!(names);
//! assert!(names.contains(&"hello_world_is_encrypted"));
//! ```
//!
//! [`test_each_case`](crate::test_each_case) defines the tests, where a function of the caller
//! checks one case.

use crate::client::{Request, Response, decrypt, encrypt, post};

/// A request and the expected response.
#[derive(Debug)]
pub struct Case {
    /// The request.
    pub request: Request,
    status: u16,
    allow: Option<&'static str>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// The result document with this result.
    Result(&'static str),
    /// A problem document with all of this in its detail.
    Problem(&'static [&'static str]),
    /// No body, because the request is HEAD.
    Absent,
}

/// Values of `SHIFT_AMOUNT`, and the results of [`SHIFTED`].
pub const SHIFTS: [(&str, &str); 4] = [
    ("5", "Mjqqt, Ejgwf!"),
    ("-3", "Ebiil, Wbyox!"),
    ("29", "Khoor, Cheud!"),
    ("0", "Hello, Zebra!"),
];

/// The plain text of [`SHIFTS`].
pub const SHIFTED: &str = "Hello, Zebra!";

/// Defines a function for each case, and the two macros over all of them. The first token is a
/// dollar sign, which a macro within a macro cannot contain.
macro_rules! cases {
    ($dollar:tt $($name:ident: $case:expr;)*) => {
        $(
            #[doc = concat!("The case `", stringify!($name), "`.")]
            #[must_use]
            pub fn $name() -> Case {
                $case
            }
        )*

        /// All cases, each with its name.
        #[must_use]
        pub fn all() -> Vec<(&'static str, Case)> {
            vec![$((stringify!($name), $name())),*]
        }

        /// Calls a macro with the names of all cases; see [`cases`](crate::cases).
        #[macro_export]
        macro_rules! for_each_case {
            ($dollar macro:ident) => { $dollar macro! { $($name)* } };
        }

        /// Defines a test for each case, which a function checks; see [`cases`](crate::cases).
        #[macro_export]
        macro_rules! test_each_case {
            ($dollar check:path) => {
                $(
                    #[test]
                    fn $name() {
                        $dollar check(&$dollar crate::cases::$name());
                    }
                )*
            };
        }
    };
}

cases! { $
    hello_world_is_encrypted:
        result(post("/encrypt", r#"{"message": "hello world"}"#), "khoor zruog");
    khoor_zruog_is_decrypted:
        result(post("/decrypt", r#"{"message": "khoor zruog"}"#), "hello world");
    letters_keep_their_case_and_turn_round_at_z:
        result(encrypt("ABC xyz XYZ"), "DEF abc ABC");
    digits_and_punctuation_are_kept:
        result(encrypt("0123456789 .,;:!? []{}"), "0123456789 .,;:!? []{}");
    text_outside_ascii_is_kept:
        result(encrypt("Grüße, 世界! 🦀"), "Juüßh, 世界! 🦀");
    text_outside_ascii_is_kept_by_decrypt:
        result(decrypt("Juüßh, 世界! 🦀"), "Grüße, 世界! 🦀");
    escapes_in_json_are_understood:
        result(post("/encrypt", r#"{"message": "\u0061\n\"\ud83e\udd80\""}"#), "d\n\"🦀\"");
    control_characters_are_kept:
        result(encrypt("\0\u{1}\u{7f}\r\n\t"), "\0\u{1}\u{7f}\r\n\t");
    an_empty_message_has_an_empty_result:
        result(encrypt(""), "");
    other_members_are_ignored:
        result(post("/encrypt", r#"{"a": [{"message": 1}], "message": "a", "b": null}"#), "d");
    the_query_is_ignored:
        result(post("/encrypt?message=x&y", r#"{"message": "a"}"#), "d");
    a_charset_beside_the_content_type_is_accepted:
        result(encrypt("a").header("content-type", "application/json; charset=utf-8"), "d");
    a_content_type_in_upper_case_is_accepted:
        result(encrypt("a").header("content-type", "APPLICATION/JSON"), "d");
    a_body_without_content_type_is_accepted:
        result(encrypt("a").without_header("content-type"), "d");

    a_body_that_is_not_json_is_refused:
        problem(post("/encrypt", "hello"), 400, &["expected value", "line 1 column 1"]);
    an_empty_body_is_refused:
        problem(post("/encrypt", ""), 400, &["EOF", "line 1 column 0"]);
    a_request_without_a_body_is_refused:
        problem(Request::new("POST", "/encrypt"), 400, &["EOF", "line 1 column 0"]);
    json_that_breaks_off_is_refused:
        problem(post("/encrypt", r#"{"message": "a"#), 400, &["EOF", "line 1 column 14"]);
    data_behind_the_document_is_refused:
        problem(post("/encrypt", r#"{"message": "a"} x"#), 400, &["trailing", "line 1 column 18"]);
    a_missing_message_is_refused:
        problem(post("/decrypt", r#"{"text": "a"}"#), 400, &["missing field `message`", "line 1 column 13"]);
    a_message_that_is_a_number_is_refused:
        problem(post("/encrypt", "{\n  \"message\": 5\n}"), 400, &["`5`", "a string", "`message`", "line 2 column 14"]);
    a_message_that_is_null_is_refused:
        problem(post("/encrypt", r#"{"message": null}"#), 400, &["null", "a string", "line 1 column 16"]);
    a_message_that_is_an_object_is_refused:
        problem(post("/encrypt", r#"{"message": {}}"#), 400, &["map", "a string", "line 1 column"]);
    two_messages_are_refused:
        problem(post("/encrypt", r#"{"message": "a", "message": "b"}"#), 400, &["duplicate", "`message`", "line 1 column"]);
    an_array_around_the_message_is_refused:
        problem(post("/encrypt", r#"["a"]"#), 400, &["sequence", "an object", "line 1 column 0"]);
    a_string_instead_of_the_document_is_refused:
        problem(post("/encrypt", r#""a""#), 400, &["string", "an object", "line 1 column"]);
    a_message_that_is_not_utf8_is_refused:
        problem(post("/encrypt", b"{\"message\": \"\xff\"}"), 400, &["unicode", "line 1 column"]);
    half_a_surrogate_pair_is_refused:
        problem(post("/encrypt", r#"{"message": "\ud83e"}"#), 400, &["line 1 column"]);

    the_root_is_not_found:
        problem(Request::new("GET", "/"), 404, &["`/`", "`/encrypt`", "`/decrypt`"]);
    another_path_is_not_found:
        problem(post("/rot13", r#"{"message": "a"}"#), 404, &["`/rot13`"]);
    a_path_in_upper_case_is_not_found:
        problem(post("/ENCRYPT", r#"{"message": "a"}"#), 404, &["`/ENCRYPT`"]);
    a_slash_behind_the_path_is_not_found:
        problem(post("/encrypt/", r#"{"message": "a"}"#), 404, &["`/encrypt/`"]);
    the_query_is_no_part_of_the_path_that_is_not_found:
        problem(Request::new("GET", "/secret?key=1"), 404, &["`/secret`"]);

    get_is_not_allowed: not_allowed(Request::new("GET", "/encrypt"));
    put_is_not_allowed: not_allowed(json_by("PUT", "/encrypt"));
    delete_is_not_allowed: not_allowed(Request::new("DELETE", "/decrypt"));
    patch_is_not_allowed: not_allowed(json_by("PATCH", "/decrypt"));
    options_is_not_allowed: not_allowed(Request::new("OPTIONS", "/decrypt"));
    an_unknown_method_is_not_allowed: not_allowed(Request::new("BREW", "/encrypt"));
    head_is_not_allowed_and_gets_no_body:
        Case { body: Body::Absent, ..not_allowed(Request::new("HEAD", "/encrypt")) };

    text_is_an_unsupported_media_type:
        problem(encrypt("a").header("content-type", "text/plain"), 415, &["`text/plain`", "`application/json`"]);
    a_form_is_an_unsupported_media_type:
        problem(
            post("/decrypt", "message=a").header("content-type", "application/x-www-form-urlencoded"),
            415,
            &["`application/x-www-form-urlencoded`"]
        );
    json_with_a_suffix_is_an_unsupported_media_type:
        problem(encrypt("a").header("content-type", "application/jsonx"), 415, &["`application/jsonx`"]);
}

fn result(request: Request, result: &'static str) -> Case {
    Case {
        request,
        status: 200,
        allow: None,
        body: Body::Result(result),
    }
}

fn problem(request: Request, status: u16, detail: &'static [&'static str]) -> Case {
    Case {
        request,
        status,
        allow: None,
        body: Body::Problem(detail),
    }
}

fn not_allowed(request: Request) -> Case {
    Case {
        allow: Some("POST"),
        ..problem(request, 405, &["POST"])
    }
}

fn json_by(method: &str, path: &str) -> Request {
    Request::new(method, path)
        .header("content-type", "application/json")
        .body(r#"{"message": "a"}"#)
}

impl Case {
    /// Checks a response against this case.
    pub fn check(&self, response: &Response) {
        assert_eq!(response.status, self.status, "{response:?}");
        assert_eq!(response.header("allow"), self.allow, "{response:?}");
        match self.body {
            Body::Result(result) => check_result(response, result),
            Body::Problem(detail) => check_problem(response, self.status, detail),
            Body::Absent => {
                let content_type = response.header("content-type");
                assert_eq!(content_type, Some("application/problem+json"));
                assert_eq!(response.body, b"");
                assert_ne!(response.header("content-length"), None, "{response:?}");
            }
        }
    }
}

/// Checks that a response is the document with this result.
pub fn check_result(response: &Response, result: &str) {
    assert_eq!(response.status, 200, "{response:?}");
    let content_type = response.header("content-type");
    assert_eq!(content_type, Some("application/json"), "{response:?}");
    check_length(response);
    let expected = serde_json::json!({ "result": result });
    // Not `assert_eq`, because a message may have a megabyte.
    assert!(response.json() == expected, "{response:?}");
}

/// Checks that a response is a problem document (RFC 9457) with this status and all of these parts
/// in its detail.
pub fn check_problem(response: &Response, status: u16, detail: &[&str]) {
    assert_eq!(response.status, status, "{response:?}");
    let content_type = response.header("content-type");
    assert_eq!(content_type, Some("application/problem+json"));
    check_length(response);
    let document = response.json();
    assert_eq!(document["status"], status, "{response:?}");
    // With this type the title is the reason phrase of the status.
    assert_eq!(document["type"], "about:blank", "{response:?}");
    assert_eq!(document["title"], title(status), "{response:?}");
    let text = document["detail"].as_str().expect("a detail");
    for part in detail {
        assert!(text.contains(part), "`{part}` is not in `{text}`");
    }
}

/// Checks that a response has the right content-length.
fn check_length(response: &Response) {
    let length = response.body.len().to_string();
    let announced = response.header("content-length");
    assert_eq!(announced, Some(length.as_str()), "{response:?}");
}

/// The reason phrase of a status in RFC 9110.
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => panic!("no test expects {status}"),
    }
}
