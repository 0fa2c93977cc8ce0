//! Sizes of files, and phrases.

use std::fs;
use std::path::Path;

use end_to_end::artifacts;

use super::files;

/// The largest source file, in lines.
const MAX_LINES: usize = 400;

/// Phrases that hide the component that acts, or that the field has a term for, with what to write
/// instead.
const PHRASES: [(&str, &str); 14] = [
    ("whoever", "name the component that acts"),
    ("nobody", "name the component that does not act"),
    ("somebody", "name the component that acts"),
    ("everybody", "name the components"),
    ("anybody", "name the component"),
    ("turned away", "rejected"),
    ("turns away", "rejects"),
    ("turn away", "reject"),
    ("gives way", "yields"),
    ("knows no", "does not support, or: is not allowed in"),
    ("so many", "this number of"),
    ("is no", "is not a"),
    ("are no", "are not"),
    ("has its turn", "runs"),
];

#[test]
fn no_source_file_has_more_than_400_lines() {
    let workspace = artifacts::workspace();
    let long: Vec<_> = files(&workspace, "rs")
        .into_iter()
        .map(|path| {
            (
                fs::read_to_string(&path).expect("a text").lines().count(),
                path,
            )
        })
        .filter(|(lines, _)| *lines > MAX_LINES)
        .collect();
    assert!(long.is_empty(), "split these files: {long:?}");
}

#[test]
fn no_phrase_hides_the_component_that_acts() {
    let workspace = artifacts::workspace();
    let this = Path::new(file!()).file_name().expect("a name");
    let mut found = Vec::new();
    for extension in ["rs", "md", "wit", "toml"] {
        for path in files(&workspace, extension) {
            let is_recorded = path.starts_with(workspace.join("bench/results"));
            if path.file_name() == Some(this) || is_recorded {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a text");
            for (number, line) in text.lines().enumerate() {
                let line = line.to_lowercase();
                for (phrase, instead) in PHRASES {
                    if line
                        .match_indices(phrase)
                        .any(|(at, _)| is_found(&line[..at], &line[at + phrase.len()..]))
                    {
                        let path = path.strip_prefix(&workspace).expect("a file").display();
                        found.push(format!("{path}:{}: `{phrase}`: {instead}", number + 1));
                    }
                }
            }
        }
    }
    assert!(
        found.is_empty(),
        "{} lines:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// Whether a phrase between these texts is a whole one, and not the "is no" of "there is no" or of
/// "is no longer".
fn is_found(before: &str, after: &str) -> bool {
    let is_part = before.ends_with(is_word) || after.starts_with(is_word);
    !is_part && !before.ends_with("there ") && !after.starts_with(" longer")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
