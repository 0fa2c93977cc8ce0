//! Shows places of a text.

use miette::{Diagnostic, LabeledSpan};
use wac_parser::Error as SyntaxError;

use crate::wac::WacError;

/// A text and its name.
pub(super) struct Source<'t> {
    pub(super) file: &'t str,
    pub(super) text: &'t str,
}

/// A part of one line.
struct Place<'t> {
    /// The number of the line; the first is 1.
    line: usize,
    /// The number of the first character; that of the line is 1.
    column: usize,
    /// The whole line.
    content: &'t str,
    /// The characters that are meant, at least one.
    width: usize,
}

impl Source<'_> {
    /// An error of the parser with its line.
    pub(super) fn syntax(&self, error: &SyntaxError) -> WacError {
        match error {
            SyntaxError::Expected { found: None, .. }
            | SyntaxError::ExpectedEither { found: None, .. }
            | SyntaxError::ExpectedMultiple { found: None, .. } => {
                // The parser says where the last word begins.
                let end = self.text.trim_end().len();
                WacError::Text {
                    excerpt: self.at(end, 0, &error.to_string()),
                }
            }
            _ => self.error(error),
        }
    }

    /// An error with the lines that it is about.
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
        let places: Vec<(Place<'_>, &str)> = labels
            .iter()
            .map(|label| {
                let place = self.place(label.offset(), label.len());
                (place, label.label().unwrap_or_default())
            })
            .collect();
        let mut excerpt = self.show(&message, &places);
        if let Some(help) = error.help() {
            excerpt = format!("{excerpt}\nhelp: {help}");
        }
        WacError::Text { excerpt }
    }

    /// `message` with the line that has the byte `offset`.
    pub(super) fn at(&self, offset: usize, len: usize, message: &str) -> String {
        self.show(message, &[(self.place(offset, len), "")])
    }

    /// The message, with the first place before it, and all lines after it.
    fn show(&self, message: &str, places: &[(Place<'_>, &str)]) -> String {
        let mut lines = vec![match places.first() {
            Some((place, _)) => format!("{}:{}:{}: {message}", self.file, place.line, place.column),
            None => format!("{}: {message}", self.file),
        }];
        let digits = |place: &Place<'_>| place.line.to_string().len();
        let gutter = places.iter().map(|(place, _)| digits(place)).max();
        let gutter = gutter.unwrap_or_default();
        for (place, label) in places {
            let marker = format!("{}{} {label}", place.indent(), "^".repeat(place.width));
            lines.push(format!("{:>gutter$} | {}", place.line, place.content));
            lines.push(format!("{:>gutter$} | {}", "", marker.trim_end()));
        }
        lines.join("\n")
    }

    fn place(&self, offset: usize, len: usize) -> Place<'_> {
        let text = self.text;
        // A place at the end may be counted in bytes of the last character.
        let offset = (0..=offset.min(text.len()))
            .rev()
            .find(|offset| text.is_char_boundary(*offset))
            .unwrap_or_default();
        let (before, after) = text.split_at(offset);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = after.find('\n').map_or(text.len(), |end| offset + end);
        let meant = after
            .char_indices()
            .take_while(|(at, _)| *at < len.min(end - offset));
        Place {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            content: text[start..end].trim_end_matches('\r'),
            width: meant.count().max(1),
        }
    }
}

impl Place<'_> {
    /// What stands before the marker: a tab stays one, so that it is as wide.
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
    fn the_place_is_marked_under_its_line() {
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
    fn any_place_can_be_shown() {
        for text in ["", "é", "\n", "a\n"] {
            for offset in 0..9 {
                for len in 0..9 {
                    assert!(at(text, offset, len).starts_with("f.wac:"));
                }
            }
        }
    }
}
