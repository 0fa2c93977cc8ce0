//! The `package` line of a WIT text.
//!
//! A package may consist of several files, which can be parsed only together. The package
//! of each file must therefore be known before parsing.

/// The name between `package` and `;` at the start of `text`, without spaces and comments.
/// `None` if the text does not start with a `package` line.
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
            // A nested package, or invalid.
            '{' | '}' => return None,
            // `%` marks a word as an identifier.
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

/// The text after a block comment, which may be nested.
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
    fn the_package_line_is_found_after_comments() {
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
