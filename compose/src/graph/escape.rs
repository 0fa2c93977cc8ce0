//! Escaping of names for each format. A name may be any string.

use std::fmt::Write as _;

use sanitize::is_deceptive;

/// Maximum number of characters of a text; real interface names are shorter.
const MAX_CHARACTERS: usize = 4096;

/// `text` as XML character data or as the value of an attribute.
pub(super) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in visible(text) {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// `text` between the quotation marks of a DOT string.
pub(super) fn dot(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in visible(text) {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            // DOT interprets HTML entities.
            '&' => escaped.push_str("&amp;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// `text` between the quotation marks of a Mermaid label.
///
/// Mermaid interprets comments, directives, Markdown and HTML in a label, so characters that
/// do not occur in usual names are written as numbers. An empty text becomes a no-break
/// space, because Mermaid rejects empty labels.
pub(super) fn mermaid(text: &str) -> String {
    if text.trim().is_empty() {
        return "#160;".to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for character in visible(text) {
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

/// The characters of `text`. Characters that would break the line, deceive a reader, or are
/// invalid in XML are replaced; a text that is too long is truncated.
fn visible(text: &str) -> impl Iterator<Item = char> {
    let is_cut = text.chars().nth(MAX_CHARACTERS).is_some();
    let beginning = text.chars().take(MAX_CHARACTERS).map(visible_character);
    beginning.chain(is_cut.then_some('…'))
}

fn visible_character(character: char) -> char {
    match character {
        '\n' | '\r' | '\t' => ' ',
        other if is_deceptive(other) => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_are_unchanged() {
        let name = "wasi:http/incoming-handler@0.2.12";
        assert_eq!(xml(name), name);
        assert_eq!(dot(name), name);
        assert_eq!(mermaid(name), name);
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(xml("<a b='\"'>&"), "&lt;a b=&apos;&quot;&apos;&gt;&amp;");
        assert_eq!(dot(r#"\N"&lt;"#), r#"\\N\"&amp;lt;"#);
        assert_eq!(mermaid("`%%{\"#"), "#96;#37;#37;#123;#34;#35;");
    }

    #[test]
    fn control_and_deceptive_characters_are_replaced() {
        assert_eq!(xml("a\nb\0c\u{ffff}"), "a b\u{fffd}c\u{fffd}");
        assert_eq!(dot("a\r\0"), "a \u{fffd}");
        assert_eq!(dot("\u{202e}a"), "\u{fffd}a");
        assert_eq!(xml("a\u{200b}\u{2066}"), "a\u{fffd}\u{fffd}");
        assert_eq!(mermaid("\t\0"), " #65533;");
        assert_eq!(mermaid("\u{202e}"), "#65533;");
        assert_eq!(mermaid(""), "#160;");
    }

    #[test]
    fn a_long_name_is_truncated() {
        let whole = "x".repeat(MAX_CHARACTERS);
        assert_eq!(dot(&whole), whole);
        assert_eq!(dot(&format!("{whole}yz")), format!("{whole}…"));
    }
}
