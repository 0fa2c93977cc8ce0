//! The line of a request in a log: method and path, without secrets and deceptive characters.

use alloc::format;
use alloc::string::String;

use crate::bindings::wasi::{http0_2_12, http0_3_0};

/// Renders the line of one request, without a line feed. `target` is the path with the query; the
/// query is left out, because it may have secrets.
#[must_use]
pub fn render(method: &impl Method, target: Option<&str>) -> String {
    let target = target.unwrap_or("-");
    let path = target.split('?').next().unwrap_or_default();
    format!("{} {}", escape(method.name()), escape(path))
}

/// A method of a request, in any version of `wasi:http`.
pub trait Method {
    /// Its name, such as `GET`.
    fn name(&self) -> &str;
}

macro_rules! implement_method {
    ($method:ty) => {
        impl Method for $method {
            fn name(&self) -> &str {
                match self {
                    Self::Get => "GET",
                    Self::Head => "HEAD",
                    Self::Post => "POST",
                    Self::Put => "PUT",
                    Self::Delete => "DELETE",
                    Self::Connect => "CONNECT",
                    Self::Options => "OPTIONS",
                    Self::Trace => "TRACE",
                    Self::Patch => "PATCH",
                    Self::Other(name) => name,
                }
            }
        }
    };
}

implement_method!(http0_2_12::types::Method);
implement_method!(http0_3_0::types::Method);

/// Escapes the backslash and all characters except printable ASCII, which are invalid in a path
/// (RFC 3986) and could end the line or control a terminal.
fn escape(text: &str) -> core::str::EscapeDefault<'_> {
    text.escape_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use http0_2_12::types::Method as Method02;
    use http0_3_0::types::Method as Method03;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_method_and_path() {
        assert_eq!(render(&Method02::Get, Some("/a/b%20c")), "GET /a/b%20c");
        assert_eq!(render(&Method03::Patch, Some("/a")), "PATCH /a");
    }

    #[test]
    fn the_query_is_left_out() {
        let line = |target| render(&Method03::Get, Some(target));
        assert_eq!(line("/a?key=secret?x"), "GET /a");
        assert_eq!(line("?key=secret"), "GET ");
    }

    #[test]
    fn a_request_without_a_path_has_a_dash() {
        assert_eq!(render(&Method02::Connect, None), "CONNECT -");
    }

    #[test]
    fn deceptive_characters_are_escaped() {
        let method = Method02::Other("A\tB".to_string());
        assert_eq!(
            render(&method, Some("/\r\n\u{1b}[2J\u{202e}\\é")),
            "A\\tB /\\r\\n\\u{1b}[2J\\u{202e}\\\\\\u{e9}"
        );
    }

    proptest! {
        #[test]
        fn any_request_is_one_line_of_printable_ascii(method: String, target: String) {
            let line = render(&Method03::Other(method), Some(&target));
            prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}
