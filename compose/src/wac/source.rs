//! Errors in a WAC text, with an excerpt.
//!
//! The excerpts are rendered here, because messages begin with `FILE:LINE:COLUMN:` and keep
//! tabs; miette's renderer puts position and message on different lines and expands tabs.

use miette::{Diagnostic, LabeledSpan};
use wac_parser::Error as SyntaxError;

use super::WacError;

/// A text and its name.
pub(super) struct Source<'t> {
    pub(super) file: &'t str,
    pub(super) text: &'t str,
}

/// A span within one line.
struct Span<'t> {
    /// Line number, from 1.
    line: usize,
    /// Column of the first character, from 1.
    column: usize,
    /// The whole line.
    content: &'t str,
    /// Number of marked characters, at least one.
    width: usize,
}

impl Source<'_> {
    /// A syntax error with its line.
    pub(super) fn syntax(&self, error: &SyntaxError) -> WacError {
        match error {
            SyntaxError::Expected { found: None, .. }
            | SyntaxError::ExpectedEither { found: None, .. }
            | SyntaxError::ExpectedMultiple { found: None, .. } => {
                // The parser reports the start of the last token.
                let end = self.text.trim_end().len();
                WacError::Text {
                    excerpt: self.at(end, 0, &error.to_string()),
                }
            }
            _ => self.error(error),
        }
    }

    /// An error with its labelled lines.
    pub(super) fn error(&self, error: &(impl Diagnostic + 'static)) -> WacError {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        let mut labels: Vec<LabeledSpan> = error.labels().into_iter().flatten().collect();
        labels.sort_by_key(|label| (!label.primary(), label.offset()));
        let spans: Vec<(Span<'_>, &str)> = labels
            .iter()
            .map(|label| {
                let span = self.span(label.offset(), label.len());
                (span, label.label().unwrap_or_default())
            })
            .collect();
        let mut excerpt = self.render(&message, &spans);
        if let Some(help) = error.help() {
            excerpt = format!("{excerpt}\nhelp: {help}");
        }
        WacError::Text { excerpt }
    }

    /// `message` with the line of the byte `offset`.
    pub(super) fn at(&self, offset: usize, len: usize, message: &str) -> String {
        self.render(message, &[(self.span(offset, len), "")])
    }

    /// The message after the position of the first span, followed by all lines.
    fn render(&self, message: &str, spans: &[(Span<'_>, &str)]) -> String {
        let mut lines = vec![match spans.first() {
            Some((span, _)) => format!("{}:{}:{}: {message}", self.file, span.line, span.column),
            None => format!("{}: {message}", self.file),
        }];
        let digits = |span: &Span<'_>| span.line.to_string().len();
        let gutter = spans.iter().map(|(span, _)| digits(span)).max();
        let gutter = gutter.unwrap_or_default();
        for (span, label) in spans {
            let marker = format!("{}{} {label}", span.indent(), "^".repeat(span.width));
            lines.push(format!("{:>gutter$} | {}", span.line, span.content));
            lines.push(format!("{:>gutter$} | {}", "", marker.trim_end()));
        }
        lines.join("\n")
    }

    fn span(&self, offset: usize, len: usize) -> Span<'_> {
        let text = self.text;
        // The parser may report an offset inside the last character.
        let offset = (0..=offset.min(text.len()))
            .rev()
            .find(|offset| text.is_char_boundary(*offset))
            .unwrap_or_default();
        let (before, after) = text.split_at(offset);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = after.find('\n').map_or(text.len(), |end| offset + end);
        let marked = after
            .char_indices()
            .take_while(|(at, _)| *at < len.min(end - offset));
        Span {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            content: text[start..end].trim_end_matches('\r'),
            width: marked.count().max(1),
        }
    }
}

impl Span<'_> {
    /// The indentation of the marker; tabs are kept, so that the widths match.
    fn indent(&self) -> String {
        let before = self.content.chars().take(self.column - 1);
        before
            .map(|next| if next == '\t' { '\t' } else { ' ' })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    fn at(text: &str, offset: usize, len: usize) -> String {
        let source = Source {
            file: "f.wac",
            text,
        };
        source.at(offset, len, "no")
    }

    #[test]
    fn the_span_is_marked_under_its_line() {
        assert_eq!(
            at("a;\n\tlet é = x;\r\nb", 13, 1),
            "f.wac:2:10: no\n2 | \tlet é = x;\n  | \t        ^"
        );
    }

    #[test]
    fn a_marker_ends_with_its_line() {
        assert_eq!(at("abc\ndef", 1, 99), "f.wac:1:2: no\n1 | abc\n  |  ^^");
    }

    #[test]
    fn any_offset_and_length_can_be_rendered() {
        for text in ["", "é", "\n", "a\n"] {
            for offset in 0..9 {
                for len in 0..9 {
                    assert!(at(text, offset, len).starts_with("f.wac:"));
                }
            }
        }
    }
}
