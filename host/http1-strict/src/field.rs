//! Field lines of a head or of trailers.

use crate::Violation;

/// A field line, without the whitespace around its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a> Field<'a> {
    /// Parses a line without its CRLF (RFC 9112, section 5).
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, Violation> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(Violation::Malformed("obsolete line folding is not allowed"));
        }
        let colon = memchr::memchr(b':', line);
        let colon = colon.ok_or(Violation::Malformed("missing colon in a header field"))?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if !is_token(name) {
            return Err(Violation::Malformed("invalid name of a header field"));
        }
        // Control characters other than tab.
        if value.iter().any(|&b| (b < b' ' && b != b'\t') || b == 0x7f) {
            return Err(Violation::Malformed("invalid value of a header field"));
        }
        Ok(Self {
            name,
            value: trim(value),
        })
    }

    /// Whether the field has this name, in any case.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Strips spaces and tabs at both ends.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether this is a token (RFC 9110, section 5.6.2).
pub(super) fn is_token(text: &[u8]) -> bool {
    const TOKEN: [bool; 256] = {
        let mut table = [false; 256];
        let others = b"!#$%&'*+-.^_`|~";
        let mut byte = u8::MIN;
        while byte < u8::MAX {
            table[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let mut index = 0;
        while index < others.len() {
            table[others[index] as usize] = true;
            index += 1;
        }
        table
    };
    !text.is_empty() && text.iter().all(|&byte| TOKEN[usize::from(byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_a_value_is_no_part_of_it() {
        let field = Field::parse(b"Host:\t a b \t").unwrap();
        assert!(field.is("host"));
        assert_eq!(field.value, b"a b");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for line in [
            &b"host : a"[..],
            b" host: a",
            b"\thost: a",
            b": a",
            b"host",
            b"ho st: a",
            b"host: a\0b",
            b"host: a\rb",
            b"host: a\nb",
            b"host: \x7f",
            b"h\xf6st: a",
            b"",
        ] {
            assert!(Field::parse(line).is_err(), "{}", line.escape_ascii());
        }
    }
}
