//! Text as it is printed.

use std::fmt::{self, Display, Write};

use crate::is_deceptive;

/// The most bytes that are printed of one text, unless the caller names another limit.
pub const MAX_BYTES: usize = 1024;

/// What stands for a character that is not printed.
const REPLACEMENT: &str = "\u{fffd}";

/// Foreign text, which is made safe when it is displayed. See [`line`], [`text`] and
/// [`lines`].
#[derive(Debug, Clone, Copy)]
pub struct Sanitized<T> {
    value: T,
    line_feed: &'static str,
    max_bytes: usize,
}

/// Text on one line: each [deceptive](is_deceptive) character but the tab is displayed as
/// U+FFFD, and what is longer than the limit ends with `…`.
pub fn line<T: Display>(value: T) -> Sanitized<T> {
    Sanitized {
        value,
        line_feed: REPLACEMENT,
        max_bytes: MAX_BYTES,
    }
}

/// Like [`line`], but line feeds stay: for text that is indented or quoted elsewhere.
pub fn text<T: Display>(value: T) -> Sanitized<T> {
    Sanitized {
        line_feed: "\n",
        ..line(value)
    }
}

/// Like [`line`], but a line feed begins a continuation line, which starts with `  | `: it
/// cannot pass for an entry of its own.
pub fn lines<T: Display>(value: T) -> Sanitized<T> {
    Sanitized {
        line_feed: "\n  | ",
        ..line(value)
    }
}

impl<T> Sanitized<T> {
    /// Displays at most so many bytes of the text.
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

/// Passes on what is safe.
struct Filter<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    line_feed: &'static str,
    left: usize,
    is_cut: bool,
}

impl Write for Filter<'_, '_> {
    /// Fails at the limit, so that the rest of a long text is not even formatted.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_cut {
            return Err(fmt::Error);
        }
        let fits = &text[..text.floor_char_boundary(self.left)];
        self.left -= fits.len();
        self.is_cut = fits.len() < text.len();
        let mut rest = fits;
        let deceives = |&(_, c): &(usize, char)| c != '\t' && is_deceptive(c);
        while let Some((at, found)) = rest.char_indices().find(deceives) {
            self.out.write_str(&rest[..at])?;
            let instead = if found == '\n' {
                self.line_feed
            } else {
                REPLACEMENT
            };
            self.out.write_str(instead)?;
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
    fn a_line_stays_one_line_and_does_not_steer_a_terminal() {
        let name = "a\nERROR forged\r\u{1b}[31m\u{202e}\u{200b}\tb";
        assert_eq!(
            line(name).to_string(),
            "a\u{fffd}ERROR forged\u{fffd}\u{fffd}[31m\u{fffd}\u{fffd}\tb"
        );
    }

    #[test]
    fn usual_text_stays_as_it_is() {
        for name in ["", "wasi:http/types@0.2.12", "Grüße, 日本語 \u{1f980}"] {
            assert_eq!(line(name).to_string(), name);
            assert_eq!(lines(name).to_string(), name);
        }
    }

    #[test]
    fn continuation_lines_are_marked() {
        assert_eq!(
            lines("a\nb\u{1b}\nc").to_string(),
            "a\n  | b\u{fffd}\n  | c"
        );
        assert_eq!(text("a\nb\u{1b}").to_string(), "a\nb\u{fffd}");
    }

    #[test]
    fn a_text_of_the_limit_is_whole_and_a_longer_one_ends_with_an_ellipsis() {
        let whole = "x".repeat(MAX_BYTES);
        assert_eq!(line(&whole).to_string(), whole);
        let longer = format!("{}äy", &whole[1..]);
        assert_eq!(line(longer).to_string(), format!("{}…", &whole[1..]));
        assert_eq!(line("abc").at_most(2).to_string(), "ab…");
    }

    #[test]
    fn beyond_the_limit_nothing_is_formatted() {
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
    fn the_alternate_form_of_a_value_is_kept() {
        let error = format_args!("{:#?}", [1]).to_string();
        assert_eq!(
            format!("{:#}", text(format_args!("{error}"))),
            "[\n    1,\n]"
        );
    }
}
