//! Sanitized display of text.

use std::fmt::{self, Display, Write};

use crate::{is_deceptive, truncate};

/// The default maximum bytes of one text.
pub const MAX_BYTES: usize = 1024;

/// The replacement of a deceptive character.
const REPLACEMENT: &str = "\u{fffd}";

/// Untrusted text, sanitized when it is displayed. See [`line`](fn@line), [`text`] and [`lines`].
#[derive(Debug, Clone, Copy)]
pub struct Sanitized<T> {
    value: T,
    line_feed: &'static str,
    max_bytes: usize,
}

/// Text on one line: each [deceptive](is_deceptive) character except the tab is replaced by U+FFFD,
/// and text beyond the limit by `…`.
pub fn line<T: Display>(value: T) -> Sanitized<T> {
    Sanitized {
        value,
        line_feed: REPLACEMENT,
        max_bytes: MAX_BYTES,
    }
}

/// Like [`line`](fn@line), but keeps line feeds: for text that the caller indents or quotes.
pub fn text<T: Display>(value: T) -> Sanitized<T> {
    Sanitized {
        line_feed: "\n",
        ..line(value)
    }
}

/// Like [`line`](fn@line), but a line feed begins a continuation line with the prefix `  | `, which cannot
/// be mistaken for a separate entry.
pub fn lines<T: Display>(value: T) -> Sanitized<T> {
    Sanitized {
        line_feed: "\n  | ",
        ..line(value)
    }
}

impl<T> Sanitized<T> {
    /// Sets the maximum bytes of the text.
    #[must_use]
    pub fn at_most(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }
}

impl<T: Display> Display for Sanitized<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_alternate = f.alternate();
        let mut filter = Filter {
            out: f,
            line_feed: self.line_feed,
            left: self.max_bytes,
            is_cut: false,
        };
        let written = if is_alternate {
            write!(filter, "{:#}", self.value)
        } else {
            write!(filter, "{}", self.value)
        };
        if filter.is_cut {
            return f.write_str("…");
        }
        written
    }
}

/// A writer that passes on sanitized text up to the limit.
struct Filter<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    line_feed: &'static str,
    left: usize,
    is_cut: bool,
}

impl Write for Filter<'_, '_> {
    /// Fails at the limit, so that the rest of a long text is not formatted.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_cut {
            return Err(fmt::Error);
        }
        let fits = truncate(text, self.left);
        self.left -= fits.len();
        self.is_cut = fits.len() < text.len();
        let mut rest = fits;
        let deceptive = |&(_, c): &(usize, char)| c != '\t' && is_deceptive(c);
        while let Some((at, found)) = rest.char_indices().find(deceptive) {
            self.out.write_str(&rest[..at])?;
            let replacement = if found == '\n' {
                self.line_feed
            } else {
                REPLACEMENT
            };
            self.out.write_str(replacement)?;
            rest = &rest[at + found.len_utf8()..];
        }
        self.out.write_str(rest)?;
        if self.is_cut { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_replaces_line_feeds_and_terminal_escapes() {
        let name = "a\nERROR forged\r\u{1b}[31m\u{202e}\u{200b}\tb";
        assert_eq!(
            line(name).to_string(),
            "a\u{fffd}ERROR forged\u{fffd}\u{fffd}[31m\u{fffd}\u{fffd}\tb"
        );
    }

    #[test]
    fn ordinary_text_is_unchanged() {
        for name in ["", "wasi:http/types@0.2.12", "Grüße, 日本語 \u{1f980}"] {
            assert_eq!(line(name).to_string(), name);
            assert_eq!(lines(name).to_string(), name);
        }
    }

    #[test]
    fn lines_marks_continuation_lines() {
        assert_eq!(
            lines("a\nb\u{1b}\nc").to_string(),
            "a\n  | b\u{fffd}\n  | c"
        );
        assert_eq!(text("a\nb\u{1b}").to_string(), "a\nb\u{fffd}");
    }

    #[test]
    fn text_beyond_the_limit_is_replaced_by_an_ellipsis() {
        let whole = "x".repeat(MAX_BYTES);
        assert_eq!(line(&whole).to_string(), whole);
        let longer = format!("{}äy", &whole[1..]);
        assert_eq!(line(longer).to_string(), format!("{}…", &whole[1..]));
        assert_eq!(line("abc").at_most(2).to_string(), "ab…");
    }

    #[test]
    fn text_beyond_the_limit_is_not_formatted() {
        struct Endless;

        impl Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("x")?;
                }
            }
        }
        assert_eq!(line(Endless).to_string().len(), MAX_BYTES + "…".len());
    }

    #[test]
    fn alternate_form_of_a_value_is_kept() {
        let error = format_args!("{:#?}", [1]).to_string();
        assert_eq!(
            format!("{:#}", text(format_args!("{error}"))),
            "[\n    1,\n]"
        );
    }
}
