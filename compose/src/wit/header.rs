//! The first line of a WIT text, which says what package it belongs to.
//!
//! A package may be spread over several files, and only all of them together can
//! be parsed. So this line has to be read before.

/// What stands between `package` and `;` at the start of `text`, without spaces
/// and comments. Nothing if the text does not start so.
pub(super) fn of(text: &str) -> Option<String> {
    let mut rest = after_comments(text).strip_prefix("package")?;
    if !rest.starts_with(|next: char| next.is_whitespace() || next == '/') {
        return None;
    }
    let mut name = String::new();
    loop {
        rest = after_comments(rest);
        let next = rest.chars().next()?;
        match next {
            ';' => return Some(name),
            // A package inside a file, or no package at all.
            '{' | '}' => return None,
            // `%` only says that a word is not a keyword.
            '%' => {}
            _ => name.push(next),
        }
        rest = &rest[next.len_utf8()..];
    }
}

fn after_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        rest = if let Some(comment) = rest.strip_prefix("//") {
            comment.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            after_block(comment)
        } else {
            return rest;
        }
        .trim_start();
    }
}

/// What comes after a block comment, which may contain further ones.
fn after_block(comment: &str) -> &str {
    let mut rest = comment;
    let mut depth = 1_usize;
    while depth > 0 {
        let Some(start) = rest.find(['/', '*']) else {
            return "";
        };
        rest = &rest[start..];
        if let Some(inside) = rest.strip_prefix("/*") {
            depth += 1;
            rest = inside;
        } else if let Some(outside) = rest.strip_prefix("*/") {
            depth -= 1;
            rest = outside;
        } else {
            rest = &rest[1..];
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_package_is_read_past_comments() {
        let text =
            "// package no:no;\n/* a /* b; */ */ /// docs\n package /* c */ a:%use @ 1.0.0 ;";
        assert_eq!(of(text).as_deref(), Some("a:use@1.0.0"));
    }

    #[test]
    fn a_text_without_a_package_line_has_none() {
        assert_eq!(of("interface i {}"), None);
        assert_eq!(of("package a:b { interface i {} }"), None);
        assert_eq!(of("packages a:b;"), None);
        assert_eq!(of("package a:b"), None);
        assert_eq!(of("/* package a:b;"), None);
        assert_eq!(of(""), None);
    }
}
