//! `run_wac`: compositions as WAC text, and their errors.

mod support;

use compose::{Component, run_wac};
use pretty_assertions::assert_eq;
use support::component;
use support::wac::{cipher, error, exports, imports, run};
use test_components::error_chain;

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
fn a_package_prefers_the_component_with_its_full_name() {
    let text = "package t:whole; let c = new parts:cipher { ... }; export c...;";
    let other = component("cipher", "package t:o; world o { export other: func(); }");
    let components = [other, cipher("parts:cipher")];
    let bytes = run_wac("app.wac", text, &components).expect("a composition");
    let whole = Component::new("whole", bytes).expect("a valid component");
    assert_eq!(exports(&whole), ["t:api/cipher@1.0.0"]);
}

#[test]
fn a_package_prefers_the_component_with_its_version() {
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
fn a_package_matches_a_component_name_in_kebab_case() {
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
fn missing_packages_are_named_with_their_positions() {
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
fn a_syntax_error_has_an_excerpt() {
    assert_eq!(
        error("package t:whole;\nlet c = new parts:cipher { ... }\nexport c;\n"),
        "app.wac:3:1: expected `;`, found `export` keyword
3 | export c;
  | ^^^^^^ unexpected `export` keyword"
    );
}

#[test]
fn an_error_at_the_end_of_the_text_has_a_position() {
    assert_eq!(
        error("package t:whole;\nlet c =\n\n"),
        "app.wac:2:8: expected either `new` keyword, `(`, or identifier, found end of input
2 | let c =
  |        ^"
    );
}

#[test]
fn a_second_label_has_an_excerpt() {
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
fn the_help_of_an_error_is_shown() {
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
fn a_mismatched_argument_is_shown_with_the_reason() {
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
fn a_missing_argument_without_dots_is_shown() {
    assert_eq!(
        error("package t:whole; let c = new parts:cipher {};"),
        "app.wac:1:30: missing instantiation argument `t:api/log@1.0.0` for package `parts:cipher`
1 | package t:whole; let c = new parts:cipher {};
  |                              ^^^^^^^^^^^^ missing argument `t:api/log@1.0.0`"
    );
}

#[test]
fn duplicate_component_names_are_rejected() {
    let error = run_wac("app.wac", "package a:b;", &[cipher("c"), cipher("c")]);
    assert_eq!(
        error_chain(&error.expect_err("no composition")),
        "duplicate component name `c`; rename one of the components"
    );
}

#[test]
fn brackets_nested_more_than_64_levels_are_rejected() {
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
fn one_thousand_type_declarations_are_accepted() {
    for (begin, end) in [("list<", ">"), ("tuple<u8, ", ">"), ("result<_, ", ">")] {
        let chain: Vec<String> = (1..999)
            .map(|i| format!("type a{i} = {begin}a{}{end};\n", i - 1))
            .collect();
        let chain = chain.concat();
        // The validator has a lower limit.
        let _ = run(&format!("package t:whole; type a0 = u8;\n{chain}"));
    }
}
