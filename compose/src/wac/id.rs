//! Identifiers of the WAC grammar.

use wac_parser::lexer::{Lexer, Token};

/// `name` in kebab case: words of lower-case ASCII letters and digits that begin with a
/// letter. All other characters separate words.
pub(super) fn kebab(name: &str) -> String {
    let mut id = String::new();
    let words = name.split(|next: char| !next.is_ascii_alphanumeric());
    for word in words.filter(|word| !word.is_empty()) {
        let begins_with_letter = word.starts_with(|next: char| next.is_ascii_alphabetic());
        if id.is_empty() && !begins_with_letter {
            id.push('p');
        } else if !id.is_empty() && begins_with_letter {
            id.push('-');
        }
        id.extend(word.chars().map(|next| next.to_ascii_lowercase()));
    }
    if id.is_empty() {
        id.push_str("part");
    }
    id
}

/// `id`, or `id` with the lowest numeric suffix that makes it free.
pub(super) fn unique(id: &str, is_free: impl Fn(&str) -> bool) -> String {
    let numbered = (2_u64..).map(|number| format!("{id}{number}"));
    std::iter::once(id.to_owned())
        .chain(numbered)
        .find(|id| is_free(id))
        .unwrap_or_default()
}

/// `id` as written in the text: marked with `%` if it is a keyword.
pub(super) fn escaped(id: &str) -> String {
    let is_name = Lexer::new(id)
        .ok()
        .and_then(|mut lexer| lexer.next())
        .is_some_and(|(token, span)| token == Ok(Token::Ident) && span.len() == id.len());
    if is_name {
        id.to_owned()
    } else {
        format!("%{id}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_becomes_kebab_case() {
        let names = [
            "cipher",
            "Cipher_Guest",
            "a1:b2",
            "1st",
            "–",
            "x86-64",
            "v1.0",
        ];
        let expected = [
            "cipher",
            "cipher-guest",
            "a1-b2",
            "p1st",
            "part",
            "x8664",
            "v10",
        ];
        assert_eq!(names.map(kebab), expected);
    }

    #[test]
    fn keywords_are_marked_with_percent() {
        assert_eq!(escaped("let"), "%let");
        assert_eq!(escaped("error-context"), "%error-context");
        assert_eq!(escaped("let-x"), "let-x");
    }

    #[test]
    fn a_duplicate_name_gets_a_number() {
        assert_eq!(unique("a", |id| !["a", "a2"].contains(&id)), "a3");
    }
}
