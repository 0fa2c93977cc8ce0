//! The two documents of the service: the request `{"message": "…"}` and the response
//! `{"result": "…"}`.

use alloc::borrow::Cow;
use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// Parses the message of a request document.
///
/// Members other than `message` are ignored.
///
/// # Errors
///
/// Returns an error with line and column if the body is not exactly one JSON document, is not
/// an object, or does not have exactly one string `message`.
pub(crate) fn parse(body: &[u8]) -> Result<Cow<'_, str>, serde_json::Error> {
    let Request { message } = serde_json::from_slice(body)?;
    Ok(message.0)
}

/// Renders the result document.
#[must_use]
pub fn render(result: &str) -> Vec<u8> {
    let mut document = br#"{"result":"#.to_vec();
    push_string(&mut document, result);
    document.push(b'}');
    document
}

/// Appends `text` as a JSON string.
pub(crate) fn push_string(document: &mut Vec<u8>, text: &str) {
    let string = serde_json::to_vec(text).expect("every `str` is a JSON string");
    document.extend_from_slice(&string);
}

/// The request document. `Deserialize` is not derived, because that would accept the array
/// `["…"]` as well.
struct Request<'a> {
    message: Message<'a>,
}

impl<'de> Deserialize<'de> for Request<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Request<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a string `message`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut message = None;
                while let Some(Text(name)) = map.next_key()? {
                    if name != "message" {
                        map.next_value::<IgnoredAny>()?;
                    } else if message.is_some() {
                        return Err(A::Error::duplicate_field("message"));
                    } else {
                        message = Some(map.next_value()?);
                    }
                }
                let message = message.ok_or_else(|| A::Error::missing_field("message"))?;
                Ok(Request { message })
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// The name of a member.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(StringVisitor("a string"))
            .map(Self)
    }
}

/// The value of the member `message`.
struct Message<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Message<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = StringVisitor("a string as `message`");
        deserializer.deserialize_str(visitor).map(Self)
    }
}

/// Borrows a string without escapes instead of copying it. Holds the expectation, for the
/// error.
struct StringVisitor(&'static str);

impl<'de> Visitor<'de> for StringVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};
    use proptest::prelude::*;

    fn error(body: &str) -> String {
        parse(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_message_is_parsed() {
        assert_eq!(parse(br#"{"message": "hello"}"#).unwrap(), "hello");
    }

    #[test]
    fn other_members_are_ignored() {
        let body = r#" {"a": [1, {"message": 2}], "message": "é\n", "b": null} "#;
        assert_eq!(parse(body.as_bytes()).unwrap(), "é\n");
    }

    #[test]
    fn an_escaped_member_name_is_the_same_name() {
        assert_eq!(parse(br#"{"\u006dessage": "x"}"#).unwrap(), "x");
    }

    #[test]
    fn errors_have_reason_line_and_column() {
        for (body, expected) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("hello", "expected value at line 1 column 1"),
            ("{}", "missing field `message` at line 1 column 2"),
            (
                "{\n  \"message\": 5\n}",
                "invalid type: integer `5`, expected a string as `message` at line 2 column 14",
            ),
            (
                r#"{"message": null}"#,
                "invalid type: null, expected a string as `message` at line 1 column 16",
            ),
            (
                r#"["hello"]"#,
                "invalid type: sequence, expected an object with a string `message` at line 1 column 0",
            ),
            (
                r#"{"message": "a"} {}"#,
                "trailing characters at line 1 column 18",
            ),
            (
                r#"{"message": "a", "message": "b"}"#,
                "duplicate field `message` at line 1 column 26",
            ),
            (
                r#"{"message": "a"#,
                "EOF while parsing a string at line 1 column 14",
            ),
        ] {
            assert_eq!(error(body), expected, "for the body {body:?}");
        }
    }

    #[test]
    fn a_body_that_is_not_utf8_is_rejected() {
        assert!(parse(b"{\"message\": \"\xff\"}").is_err());
    }

    #[test]
    fn deep_nesting_in_other_members_does_not_exhaust_the_stack() {
        let deep = |depth| {
            format!(
                r#"{{"a": {}{}, "message": "x"}}"#,
                "[".repeat(depth),
                "]".repeat(depth)
            )
        };
        assert_eq!(parse(deep(1_000_000).as_bytes()).unwrap(), "x");
    }

    proptest! {
        #[test]
        fn any_text_round_trips_through_a_request_document(text: String) {
            let body = serde_json::json!({ "message": &text }).to_string();
            prop_assert_eq!(parse(body.as_bytes()).unwrap(), text);
        }

        #[test]
        fn any_text_round_trips_through_a_result_document(text: String) {
            let document: serde_json::Value = serde_json::from_slice(&render(&text)).unwrap();
            prop_assert_eq!(document, serde_json::json!({ "result": text }));
        }

        #[test]
        fn parse_never_panics(body: alloc::vec::Vec<u8>) {
            let _ = parse(&body);
        }
    }
}
