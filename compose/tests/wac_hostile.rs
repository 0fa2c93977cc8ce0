//! Hostile WAC texts: no text causes a panic or unbounded work.

mod support;

use proptest::prelude::*;
use support::wac::{error, run};

const WORDS: &[&str] = &[
    "package",
    "t:whole",
    "let",
    "new",
    "parts:cipher",
    "parts:app",
    "export",
    "import",
    "c",
    "app",
    "cipher",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    ";",
    ":",
    ",",
    "=",
    ".",
    "...",
    "as",
    "->",
    "\"t:api/cipher@1.0.0\"",
    "\"run\"",
    "\"",
    "type",
    "interface",
    "world",
    "resource",
    "func",
    "record",
    "u8",
    "borrow",
    "use",
    "include",
    "with",
    "targets",
    "static",
    "constructor",
    "parts:cipher/cipher",
    "t:whole/c@1.0.0",
    "@",
    "%",
    "//",
    "/*",
    "*/",
    "é",
    "\u{202e}",
    "list",
    "stream",
    "future",
    "async",
    "variant",
    "_",
];

/// A valid text, which tests damage.
const VALID: &str = r#"package t:whole;
import log: interface { use t:whole/i.{r}; line: func(r: borrow<r>) -> list<u8>; };
interface i { resource r { constructor(); m: static func(a: u8) -> r; } }
world w { import i; export f: func(); }
let c = new parts:cipher { ... };
let app = new parts:app { cipher: c["t:api/cipher@1.0.0"], ...};
export app...; export c.cipher as "x:y/z";
"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_causes_a_panic(text in any::<String>()) {
        let _ = run(&text);
    }

    #[test]
    fn no_words_cause_a_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        let _ = run(&words.join(" "));
        let _ = run(&format!("package t:whole; let c = new parts:cipher {{ ... }}; {}", words.join(" ")));
    }

    #[test]
    fn no_damaged_text_causes_a_panic(
        at in 0..VALID.len(),
        len in 0..40_usize,
        words in prop::collection::vec(prop::sample::select(WORDS), 0..4),
    ) {
        let end = (at + len).min(VALID.len());
        let _ = run(&format!("{} {} {}", &VALID[..at], words.join(" "), &VALID[end..]));
    }
}

#[test]
fn types_of_exponential_size_are_rejected() {
    let types: Vec<String> = (1..64)
        .map(|i| format!("type a{i} = tuple<a{0}, a{0}>;\n", i - 1))
        .collect();
    let text = format!(
        "package t:whole; interface i {{ type a0 = u8;\n{} f: func() -> a63; }}",
        types.concat()
    );
    let error = error(&text);
    assert!(
        error.starts_with("app.wac:20:23: this type consists of more than 1000000 types"),
        "{error}"
    );
}
