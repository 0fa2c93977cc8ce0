//! Estimated widths of text, and shortening to a width.

use std::iter;

/// The width of `text` in columns of a fixed-width font: an upper estimate.
pub(super) fn columns(text: &str) -> i64 {
    text.chars().map(columns_of).sum()
}

/// `text`, shortened in the middle to at most `limit` columns: namespace and version are at
/// its ends.
pub(super) fn shorten(text: &str, limit: i64) -> String {
    if columns(text) <= limit {
        return text.to_owned();
    }
    // The ellipsis may be wide in some fonts.
    let room = limit - columns_of('…');
    let head: String = within(text.chars(), room / 2).collect();
    let mut tail: Vec<char> = within(text.chars().rev(), room - room / 2).collect();
    tail.reverse();
    head.chars().chain(iter::once('…')).chain(tail).collect()
}

/// `items` separated by commas, in lines of about `limit` columns.
pub(super) fn lines<'a>(items: impl IntoIterator<Item = &'a str>, limit: i64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        let item = shorten(item, limit - 2);
        match lines.last_mut() {
            Some(line) if columns(line) + 2 + columns(&item) < limit => {
                line.push_str(", ");
                line.push_str(&item);
            }
            Some(line) => {
                line.push(',');
                lines.push(item);
            }
            None => lines.push(item),
        }
    }
    lines
}

fn columns_of(character: char) -> i64 {
    if character.is_ascii() { 1 } else { 2 }
}

fn within(characters: impl Iterator<Item = char>, limit: i64) -> impl Iterator<Item = char> {
    characters
        .scan(0, |used, character| {
            *used += columns_of(character);
            Some((*used, character))
        })
        .take_while(move |(used, _)| *used <= limit)
        .map(|(_, character)| character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_fits_is_not_shortened() {
        assert_eq!(shorten("cipher", 6), "cipher");
    }

    #[test]
    fn long_text_keeps_its_beginning_and_its_end() {
        assert_eq!(shorten("acme:very-long-name/api@1.2.3", 12), "acme:…1.2.3");
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(columns("日本"), 4);
        assert!(columns(&shorten(&"日".repeat(50), 11)) <= 11);
    }

    #[test]
    fn a_list_is_broken_into_lines_at_its_commas() {
        assert_eq!(
            lines(["error", "poll", "streams"], 14),
            ["error, poll,", "streams"]
        );
        assert!(lines([], 14).is_empty());
    }
}
