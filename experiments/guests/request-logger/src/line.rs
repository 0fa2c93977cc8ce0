//! The line of a request: method and path, without secrets and deceptive characters.

use alloc::format;
use alloc::string::String;

/// Renders the line of one request, with a line feed at its end. `target` is the path with the
/// query; the query is left out, because it may have secrets.
pub(crate) fn render(method: &str, target: Option<&str>) -> String {
    let target = target.unwrap_or("-");
    let path = target.split('?').next().unwrap_or_default();
    format!("{} {}\n", escape(method), escape(path))
}

/// Escapes the backslash and all characters except printable ASCII, which are invalid in a path
/// (RFC 3986) and could end the line or control a terminal.
fn escape(text: &str) -> core::str::EscapeDefault<'_> {
    text.escape_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_method_and_path() {
        assert_eq!(render("GET", Some("/a/b%20c")), "GET /a/b%20c\n");
    }

    #[test]
    fn the_query_is_left_out() {
        assert_eq!(render("GET", Some("/a?key=secret?x")), "GET /a\n");
        assert_eq!(render("GET", Some("?key=secret")), "GET \n");
    }

    #[test]
    fn a_request_without_a_path_has_a_dash() {
        assert_eq!(render("CONNECT", None), "CONNECT -\n");
    }

    #[test]
    fn deceptive_characters_are_escaped() {
        assert_eq!(
            render("A\tB", Some("/\r\n\u{1b}[2J\u{202e}\\é")),
            "A\\tB /\\r\\n\\u{1b}[2J\\u{202e}\\\\\\u{e9}\n"
        );
    }

    proptest! {
        #[test]
        fn any_request_is_one_line_of_printable_ascii(method: String, target: String) {
            let line = render(&method, Some(&target));
            let text = line.strip_suffix('\n').unwrap();
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}
