//! What the line says: the method and the path, and nothing that could be a
//! secret or could mislead whoever reads it.

use alloc::format;
use alloc::string::String;

/// Writes the line of one request, ending with a line feed. `target` is the path
/// with the query, of which the query stays out: people put keys in there.
pub(crate) fn render(method: &str, target: Option<&str>) -> String {
    let target = target.unwrap_or("-");
    let path = target.split('?').next().unwrap_or_default();
    format!("{} {}\n", escape(method), escape(path))
}

/// Escapes everything but printable ASCII, and the backslash that begins an
/// escape. A path has nothing else by the rules (RFC 3986); what comes against
/// the rules neither ends the line nor steers a terminal.
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
    fn the_query_stays_out() {
        assert_eq!(render("GET", Some("/a?key=secret?x")), "GET /a\n");
        assert_eq!(render("GET", Some("?key=secret")), "GET \n");
    }

    #[test]
    fn a_request_without_a_path_has_a_dash() {
        assert_eq!(render("CONNECT", None), "CONNECT -\n");
    }

    #[test]
    fn what_could_mislead_a_reader_is_escaped() {
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
