//! Compositions as WAC text.

mod support;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use compose::{Component, Composition, Export, Import, Node, WacError, Wire, emit_wac, run_wac};
use pretty_assertions::assert_eq;
use proptest::prelude::*;
use support::{component, linked};
use test_components::{error_chain, from_wat, from_wit};

const CIPHER: &str = "package t:api@1.0.0;
    interface cipher { encrypt: func(text: string) -> string; }
    interface log { line: func(text: string); }
    world provider { import log; export cipher; }";

fn cipher(name: &str) -> Component {
    component(name, CIPHER)
}

fn app() -> Component {
    let world = "world provider { import cipher; export run: func(); }";
    let wit = CIPHER.replace("world provider { import log; export cipher; }", world);
    component("app", &wit)
}

fn run(text: &str) -> Result<Component, WacError> {
    static COMPONENTS: LazyLock<[Component; 2]> = LazyLock::new(|| [cipher("cipher"), app()]);
    let bytes = run_wac("app.wac", text, &*COMPONENTS)?;
    Ok(Component::new("whole", bytes).expect("a valid component"))
}

fn error(text: &str) -> String {
    chain_of(&run(text).expect_err("no composition"))
}

/// Like `error_chain`, with the lines as they are.
fn chain_of(error: &WacError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn imports(component: &Component) -> Vec<&str> {
    component.imports().collect()
}

fn exports(component: &Component) -> Vec<&str> {
    component.exports().collect()
}

#[test]
fn a_text_is_composed() {
    let whole = run(r#"package compose:app;
let cipher = new parts:cipher { ... };
let app = new parts:app { "t:api/cipher@1.0.0": cipher["t:api/cipher@1.0.0"] };
export app["run"];
"#)
    .expect("a composition");
    assert_eq!(imports(&whole), ["t:api/log@1.0.0"]);
    assert_eq!(exports(&whole), ["run"]);
}

#[test]
fn a_component_with_the_whole_name_is_preferred() {
    let text = "package t:whole; let c = new parts:cipher { ... }; export c...;";
    let other = component("cipher", "package t:o; world o { export other: func(); }");
    let components = [other, cipher("parts:cipher")];
    let bytes = run_wac("app.wac", text, &components).expect("a composition");
    let whole = Component::new("whole", bytes).expect("a valid component");
    assert_eq!(exports(&whole), ["t:api/cipher@1.0.0"]);
}

#[test]
fn a_component_with_the_version_is_preferred() {
    let text = "package t:whole; let c = new parts:cipher@1.0.0 { ... }; export c...;";
    let other = component(
        "parts:cipher",
        "package t:o; world o { export other: func(); }",
    );
    let components = [other, cipher("parts:cipher@1.0.0")];
    let bytes = run_wac("app.wac", text, &components).expect("a composition");
    let whole = Component::new("whole", bytes).expect("a valid component");
    assert_eq!(exports(&whole), ["t:api/cipher@1.0.0"]);
}

#[test]
fn a_component_may_have_a_name_that_the_grammar_does_not_take() {
    let text = "package t:whole; let c = new parts:cipher-guest { ... }; export c...;";
    run_wac("app.wac", text, &[cipher("Cipher_Guest")]).expect("a composition");
    run_wac(
        "app.wac",
        text,
        &[cipher("cipher_guest"), cipher("cipher guest")],
    )
    .expect_err("it could be either");
}

#[test]
fn all_missing_packages_are_named_with_their_places() {
    let text = "package t:whole;

let a = new parts:caesar { };
let b = new parts:vigenere@1.2.0 { };
let c = new parts:cipher { ... };
let d = new parts:caesar { };
import e: other:api/types@2.0.0;
";
    assert_eq!(
        error(text),
        "app.wac:3:13: the package `parts:caesar` is missing; give it with `--with caesar=FILE`, or with \
         `--wit PATH` if it is a package of WIT
3 | let a = new parts:caesar { };
  |             ^^^^^^^^^^^^
app.wac:4:13: the package `parts:vigenere@1.2.0` is missing; give it with `--with vigenere=FILE`, or with \
         `--wit PATH` if it is a package of WIT
4 | let b = new parts:vigenere@1.2.0 { };
  |             ^^^^^^^^^^^^^^^^^^^^
app.wac:7:11: the package `other:api@2.0.0` is missing; give it with `--with api=FILE`, or with \
         `--wit PATH` if it is a package of WIT
7 | import e: other:api/types@2.0.0;
  |           ^^^^^^^^^^^^^^^^^^^^^
given: `cipher`, `app`"
    );
}

#[test]
fn a_syntax_error_is_shown_in_its_line() {
    assert_eq!(
        error("package t:whole;\nlet c = new parts:cipher { ... }\nexport c;\n"),
        "app.wac:3:1: expected `;`, found `export` keyword
3 | export c;
  | ^^^^^^ unexpected `export` keyword"
    );
}

#[test]
fn the_end_of_the_text_is_a_place() {
    assert_eq!(
        error("package t:whole;\nlet c =\n\n"),
        "app.wac:2:8: expected either `new` keyword, `(`, or identifier, found end of input
2 | let c =
  |        ^"
    );
}

#[test]
fn a_second_place_is_shown_as_well() {
    let mut text = "package t:whole;\nlet c = new parts:cipher { ... };\n".to_owned();
    text.push_str(&"// more\n".repeat(7));
    text.push_str("let c = new parts:app { ... };\n");
    assert_eq!(
        error(&text),
        "app.wac:10:5: `c` is already defined
10 | let c = new parts:app { ... };
   |     ^ `c` redefined here
 2 | let c = new parts:cipher { ... };
   |     ^ `c` previously defined here"
    );
}

#[test]
fn help_is_shown() {
    let text = "package t:whole;
let c = new parts:cipher { ... };
let d = new parts:cipher { ... };
export c[\"t:api/cipher@1.0.0\"];
export d[\"t:api/cipher@1.0.0\"];
";
    assert_eq!(
        error(text),
        "app.wac:5:8: duplicate export `t:api/cipher@1.0.0`
5 | export d[\"t:api/cipher@1.0.0\"];
  |        ^^^^^^^^^^^^^^^^^^^^^^^ duplicate export name `t:api/cipher@1.0.0`
4 | export c[\"t:api/cipher@1.0.0\"];
  |        ^^^^^^^^^^^^^^^^^^^^^^^ previous export here
help: consider using an `as` clause to use a different name"
    );
}

#[test]
fn an_argument_of_another_type_is_shown_with_the_reason() {
    let text = "package t:whole;
let c = new parts:cipher { ... };
let app = new parts:app { cipher: c };
";
    assert_eq!(
        error(text),
        "app.wac:3:27: mismatched instantiation argument `t:api/cipher@1.0.0`: instance is missing \
         expected function export `encrypt`
3 | let app = new parts:app { cipher: c };
  |                           ^^^^^^ mismatched argument `t:api/cipher@1.0.0`"
    );
}

#[test]
fn an_unknown_export_is_shown() {
    assert_eq!(
        error("package t:whole;\nlet c = new parts:cipher { ... };\nexport c.decrypt;\n"),
        "app.wac:3:9: the instance has no export named `decrypt`
3 | export c.decrypt;
  |         ^^^^^^^^ unknown export `decrypt`"
    );
}

#[test]
fn an_open_import_without_dots_is_shown() {
    assert_eq!(
        error("package t:whole; let c = new parts:cipher {};"),
        "app.wac:1:30: missing instantiation argument `t:api/log@1.0.0` for package `parts:cipher`
1 | package t:whole; let c = new parts:cipher {};
  |                              ^^^^^^^^^^^^ missing argument `t:api/log@1.0.0`"
    );
}

#[test]
fn two_components_of_one_name_are_refused() {
    let error = run_wac("app.wac", "package a:b;", &[cipher("c"), cipher("c")]);
    assert_eq!(
        error_chain(&error.expect_err("no composition")),
        "duplicate component name `c`; rename one of the components"
    );
}

#[test]
fn text_that_is_nested_too_deeply_is_refused() {
    let deep = 100_000;
    for open in ["(", "new a:b { c: ", "new a:b { c: ("] {
        let message = error(&format!("package t:whole; let a = {}", open.repeat(deep)));
        assert!(message.contains("brackets are nested more than 64 levels deep"));
    }
    for open in ["list<", "tuple<u8, result<_, ", "option<borrow<"] {
        let message = error(&format!("package t:whole; type a = {}", open.repeat(deep)));
        assert!(message.contains("brackets are nested more than 64 levels deep"));
    }
    error(&format!("package t:whole; {}", "/*".repeat(deep)));
    error(&format!("package t:whole; export a{}", ".b".repeat(deep)));
    let chain: Vec<String> = (1..deep)
        .map(|i| format!("type a{i} = list<a{}>;\n", i - 1))
        .collect();
    let chain = chain.concat();
    let message = error(&format!("package t:whole; type a0 = u8;\n{chain}"));
    assert!(message.contains("more than 1000 types are declared"));
}

#[test]
fn types_up_to_the_limit_do_no_harm() {
    for (begin, end) in [("list<", ">"), ("tuple<u8, ", ">"), ("result<_, ", ">")] {
        let chain: Vec<String> = (1..999)
            .map(|i| format!("type a{i} = {begin}a{}{end};\n", i - 1))
            .collect();
        let chain = chain.concat();
        // The validator has a lower limit.
        let _ = run(&format!("package t:whole; type a0 = u8;\n{chain}"));
    }
}

/// The components of a folder that links, the root last.
fn fixture(folder: &Path) -> Vec<Component> {
    let mut components = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = || fs::read_to_string(&path).expect("a text");
        let bytes = match path.extension().and_then(|extension| extension.to_str()) {
            Some("wit") => from_wit(&text()),
            Some("wat") => from_wat(&text()),
            _ => continue,
        };
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name");
        let name = stem.strip_prefix("part-").unwrap_or(stem);
        components.push(Component::new(name, bytes).expect("a component"));
    }
    components.sort_by_key(|component| (component.name() == "root", component.name().to_owned()));
    components
}

#[test]
fn what_links_is_written_and_composed_to_the_same() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/link");
    let mut count = 0;
    for entry in fs::read_dir(fixtures).expect("a folder") {
        let folder = entry.expect("an entry").path();
        if !folder.join("expected.txt").exists() {
            continue;
        }
        count += 1;
        let mut components = fixture(&folder);
        let root = components.pop().expect("a root");
        let composed = linked(&root, &components).expect("it links");
        let text = emit_wac(&composed.composition);
        components.push(root);
        let place = folder.display();
        let bytes = run_wac("root.wac", &text, &components)
            .unwrap_or_else(|error| panic!("{place}: {}\n{text}", chain_of(&error)));
        let whole = Component::new("root", bytes).expect("a valid component");
        assert_eq!(Composition::of(&whole), composed.composition, "{place}");
    }
    assert!(count >= 9, "there are fixtures that link: {count}");
}

fn part(name: &str, sha256: &str) -> Node {
    Node {
        name: name.to_owned(),
        size_bytes: 12,
        sha256: sha256.to_owned(),
    }
}

fn wire(importer: &str, import: &str, provider: &str, export: &str) -> Wire {
    Wire {
        importer: importer.to_owned(),
        import: import.to_owned(),
        provider: provider.to_owned(),
        export: export.to_owned(),
    }
}

#[test]
fn a_composition_is_written_so() {
    let composition = Composition {
        name: "My App".to_owned(),
        nodes: vec![
            part("a_root", "aa"),
            part("let", "bb"),
            part("üb\u{202e}", "bb"),
        ],
        wires: vec![
            wire("a_root", "t:api/cipher@1.0.0", "let", "t:api/cipher@1.2.0"),
            wire("let", "now", "üb\u{202e}", "now"),
        ],
        imports: vec![Import {
            importer: "let".to_owned(),
            import: "t:api/log@1.0.0".to_owned(),
            name: "t:api/log@1.0.0".to_owned(),
        }],
        exports: vec![Export {
            name: "run".to_owned(),
            provider: "a_root".to_owned(),
            export: "run".to_owned(),
        }],
        ..Composition::default()
    };
    assert_eq!(
        emit_wac(&composition),
        r#"// `My App`, composed by:
//
//   component-compose run my-app.wac --with a-root=FILE --with let=FILE
//
// parts:a-root is `a_root`, 12 bytes, sha256 aa
// parts:let is `let` and `\u{fc}b\u{202e}`, 12 bytes, sha256 bb

package compose:my-app;

let b = new parts:let {};

let %let = new parts:let {
  "now": b["now"],
  ...
};

let a-root = new parts:a-root {
  "t:api/cipher@1.0.0": %let["t:api/cipher@1.2.0"],
};

export a-root["run"] as "run";
"#
    );
}

#[test]
fn equal_parts_are_embedded_once() {
    let relay = "package t:api; interface log { line: func(text: string); }
        world relay { import log; export log; }";
    let (first, second) = (component("first", relay), component("second", relay));
    let log = "t:api/log";
    let composition = Composition {
        name: "whole".to_owned(),
        nodes: [&first, &second]
            .map(|component| Node::new(component.name(), component.bytes()))
            .to_vec(),
        wires: vec![wire("first", log, "second", log)],
        imports: vec![Import {
            importer: "second".to_owned(),
            import: log.to_owned(),
            name: log.to_owned(),
        }],
        exports: vec![Export {
            name: log.to_owned(),
            provider: "first".to_owned(),
            export: log.to_owned(),
        }],
        ..Composition::default()
    };
    let size = first.bytes().len();
    let text = emit_wac(&composition);
    let bytes = run_wac("whole.wac", &text, &[first, second]).expect("a composition");
    assert!(bytes.len() < 2 * size, "{} of {size}\n{text}", bytes.len());
    let whole = Component::new("whole", bytes).expect("a valid component");
    assert_eq!((imports(&whole), exports(&whole)), (vec![log], vec![log]));
}

#[test]
fn parts_in_a_circle_are_text_that_does_not_compose() {
    let log = "t:api/log@1.0.0";
    let cipher = cipher("cipher");
    let composition = Composition {
        name: "whole".to_owned(),
        nodes: vec![Node::new("cipher", cipher.bytes())],
        wires: vec![wire("cipher", log, "cipher", log)],
        imports: Vec::new(),
        exports: Vec::new(),
        ..Composition::default()
    };
    let text = emit_wac(&composition);
    let error = run_wac("whole.wac", &text, &[cipher]).expect_err("no composition");
    assert!(
        chain_of(&error).contains("undefined name `cipher`"),
        "{error}"
    );
}

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

/// A text that composes, to be damaged.
const SOUND: &str = r#"package t:whole;
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
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = run(&text);
    }

    #[test]
    fn no_words_make_it_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        let _ = run(&words.join(" "));
        let _ = run(&format!("package t:whole; let c = new parts:cipher {{ ... }}; {}", words.join(" ")));
    }

    #[test]
    fn no_damage_makes_it_panic(
        at in 0..SOUND.len(),
        len in 0..40_usize,
        words in prop::collection::vec(prop::sample::select(WORDS), 0..4),
    ) {
        let end = (at + len).min(SOUND.len());
        let _ = run(&format!("{} {} {}", &SOUND[..at], words.join(" "), &SOUND[end..]));
    }

    #[test]
    fn any_composition_is_written_so_that_it_can_be_read(
        names in prop::collection::btree_set(any::<String>(), 1..5),
        digests in prop::collection::vec("[ab]", 5),
    ) {
        let nodes = names.iter().zip(&digests).map(|(name, digest)| part(name, digest)).collect();
        let names: Vec<&String> = names.iter().collect();
        let composition = Composition {
            name: names[0].clone(),
            nodes,
            wires: names.windows(2).map(|pair| wire(pair[0], "a:b/c", pair[1], "a:b/c")).collect(),
            imports: Vec::new(),
            exports: vec![Export {
                name: "run".to_owned(),
                provider: names[0].clone(),
                export: "run".to_owned(),
            }],
    ..Composition::default()
};
        let text = emit_wac(&composition);
        // It gets as far as looking for the packages.
        let error = run_wac("app.wac", &text, &[]).expect_err("there are no packages");
        prop_assert!(matches!(error, WacError::MissingPackages { .. }), "{error}\n{text}");
    }
}

#[test]
fn types_that_double_are_refused_before_they_take_for_ever() {
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
