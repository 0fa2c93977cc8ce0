//! Names as the formats want them. A name may be any string.

use std::fmt::Write as _;

/// `text` as XML character data or as the value of an attribute.
pub(super) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars().map(visible) {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // No XML document may hold these two.
            '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            other => escaped.push(other),
        }
    }
    escaped
}

/// `text` between the quotation marks of a DOT string.
pub(super) fn dot(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars().map(visible) {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            // DOT knows the entities of HTML.
            '&' => escaped.push_str("&amp;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// `text` between the quotation marks of a Mermaid label.
///
/// Mermaid looks for comments, directives, Markdown and HTML in a label, so all
/// that does not occur in usual names is written as a number. No text is a space
/// that does not break, because Mermaid refuses empty labels.
pub(super) fn mermaid(text: &str) -> String {
    if text.trim().is_empty() {
        return "#160;".to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars().map(visible) {
        if character.is_alphanumeric() || " -./:@,()".contains(character) {
            escaped.push(character);
        } else {
            let number = u32::from(character);
            // Writing to a string does not fail.
            let _ = write!(escaped, "#{number};");
        }
    }
    escaped
}

/// The character itself, or one in its place if it would break the line or is
/// allowed nowhere in XML.
fn visible(character: char) -> char {
    match character {
        '\n' | '\r' | '\t' => ' ',
        other if other.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_stay_as_they_are() {
        let name = "wasi:http/incoming-handler@0.2.12";
        assert_eq!(xml(name), name);
        assert_eq!(dot(name), name);
        assert_eq!(mermaid(name), name);
    }

    #[test]
    fn markup_does_not_get_through() {
        assert_eq!(xml("<a b='\"'>&"), "&lt;a b=&apos;&quot;&apos;&gt;&amp;");
        assert_eq!(dot(r#"\N"&lt;"#), r#"\\N\"&amp;lt;"#);
        assert_eq!(mermaid("`%%{\"#"), "#96;#37;#37;#123;#34;#35;");
    }

    #[test]
    fn characters_that_no_line_of_text_may_hold_are_replaced() {
        assert_eq!(xml("a\nb\0c\u{ffff}"), "a b\u{fffd}c\u{fffd}");
        assert_eq!(dot("a\r\0"), "a \u{fffd}");
        assert_eq!(mermaid("\t\0"), " #65533;");
        assert_eq!(mermaid(""), "#160;");
    }
}
