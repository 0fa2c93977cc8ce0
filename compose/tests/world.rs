//! Worlds of WIT text.

mod support;

use compose::{Component, World, WorldError, check};
use pretty_assertions::assert_eq;
use proptest::prelude::*;
use support::component;
use test_components::{error_chain, nested_wasi};

fn texts(texts: &[(&str, &str)]) -> Vec<(String, String)> {
    let texts = texts.iter();
    texts
        .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
        .collect()
}

fn world(files: &[(&str, &str)], name: Option<&str>) -> World {
    World::from_wit(&texts(files), name).expect("a world")
}

fn error(files: &[(&str, &str)], name: Option<&str>) -> WorldError {
    World::from_wit(&texts(files), name).expect_err("no world")
}

fn findings(component: &Component, world: &World) -> Vec<String> {
    let findings = check(component, world).diagnostics;
    findings.iter().map(ToString::to_string).collect()
}

fn logger() -> Component {
    component(
        "app",
        "package t:app;
         interface log { line: func(text: string); }
         world app { import log; export run: func(); }",
    )
}

const MAIN: (&str, &str) = (
    "main.wit",
    "package t:host@1.0.0; world host { import t:app/log; export run: func(); }",
);
const LOG: (&str, &str) = (
    "log.wit",
    "package t:app; interface log { line: func(text: string); }",
);

#[test]
fn the_name_of_the_only_world_is_optional() {
    let world = world(&[MAIN, LOG], None);
    assert_eq!(world.name(), "t:host/host");
    assert_eq!(findings(&logger(), &world), Vec::<String>::new());
}

#[test]
fn wit_files_may_have_any_order() {
    let files = [
        (
            "c.wit",
            "package t:host; interface c { use b.{b}; f: func() -> b; }",
        ),
        ("dep.wit", "package t:dep; interface a { use inner.{a}; }"),
        ("b.wit", "interface b { use t:dep/a.{a}; type b = a; }"),
        ("world.wit", "package t:host; world host { import c; }"),
        (
            "inner.wit",
            "// of the dependency\npackage t:dep; interface inner { type a = u32; }",
        ),
    ];
    assert_eq!(world(&files, None).name(), "t:host/host");
    let mut reversed = files;
    reversed[1..].reverse();
    assert_eq!(world(&reversed, Some("host")).name(), "t:host/host");
}

#[test]
fn superfluous_import_is_reported_for_a_wit_world() {
    let world = world(&[("w.wit", "package t:w; world w {}")], Some("w"));
    assert_eq!(
        findings(&logger(), &world),
        [
            "error[superfluous-import]: `app` imports `t:app/log`, which the world does not have; \
             link a component that exports it"
        ]
    );
}

#[test]
fn standard_packages_are_built_in() {
    let host = "package t:host; world host { include wasi:http/proxy@0.2.12; \
                import wasi:cli/environment@0.2.12; }";
    let app = "import wasi:cli/environment@0.2.12; import wasi:io/streams@0.2.12;";
    let world = world(&[("host.wit", host)], None);
    let stub = format!("package t:app; world app {{ {app} }}");
    let findings = findings(&wasi_component(&stub), &world);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].contains("does not export `wasi:http/incoming-handler@0.2.12`"));
}

#[test]
fn a_text_replaces_a_built_in_package() {
    let host = "package t:host; world host { import wasi:random/random@0.2.12; }";
    let random = "package wasi:random@0.2.12; interface random { roll: func() -> u8; }";
    let world = world(&[("host.wit", host), ("random.wit", random)], None);
    let app = component(
        "app",
        "package t:app;
         world app { import wasi:random/random@0.2.12; }
         package wasi:random@0.2.12 { interface random { roll: func() -> u8; } }",
    );
    assert_eq!(findings(&app, &world), Vec::<String>::new());
}

#[test]
fn check_accepts_a_command_in_the_command_world() {
    let world = World::wasi_cli_command().expect("the world");
    assert_eq!(world.name(), "wasi:cli/command");
    let app = "package t:app; world app {
        import wasi:filesystem/preopens@0.2.12; export wasi:cli/run@0.2.12; }";
    assert_eq!(findings(&wasi_component(app), &world), Vec::<String>::new());
    let without = "package t:app; world app { import wasi:cli/exit@0.2.12; }";
    assert_eq!(
        findings(&wasi_component(without), &world),
        [
            "error[missing-export]: `app` does not export `wasi:cli/run@0.2.12`, which the world \
             expects; compose with a root that exports it"
        ]
    );
}

#[test]
fn asynchronous_functions_and_streams_are_compared() {
    let wit = "interface files {
        resource file { read: async func(at: u64) -> stream<u8>; }
        flush: async func() -> result<_, string>;
        done: func() -> future<result<u32>>; }";
    let host = format!("package t:api; {wit} world host {{ import files; }}");
    let world = world(&[("host.wit", &host)], None);
    let app = component(
        "app",
        &format!("package t:api; {wit} world app {{ import files; }}"),
    );
    assert_eq!(findings(&app, &world), Vec::<String>::new());

    let other = wit.replace("stream<u8>", "stream<u16>");
    let other = component(
        "app",
        &format!("package t:api; {other} world app {{ import files; }}"),
    );
    assert_eq!(findings(&other, &world).len(), 1);
}

#[test]
fn a_missing_world_lists_the_worlds_of_the_package() {
    let file = (
        "w.wit",
        "package t:w@0.1.0; world proxy {} world command {}",
    );
    assert_eq!(
        error(&[file], Some("prox")).to_string(),
        "the package `t:w@0.1.0` has no world `prox`; its worlds are `command` and `proxy`"
    );
    assert_eq!(
        error(&[file], None).to_string(),
        "cannot select a world of the package `t:w@0.1.0`; its worlds are `command` and \
         `proxy`"
    );
    assert_eq!(
        error(&[LOG], None).to_string(),
        "cannot select a world of the package `t:app`; it has no world"
    );
    assert_eq!(
        error(&[], None).to_string(),
        "no WIT text; give at least one file"
    );
}

#[test]
fn a_syntax_error_shows_its_line() {
    let text = "package t:w;\n\nworld w {\n  import x func();\n}\n";
    assert_eq!(
        error(&[LOG, ("wit/w.wit", text)], None).to_string(),
        "invalid WIT: expected ';', found keyword `func`
     --> wit/w.wit:4:12
      |
    4 |   import x func();
      |            ^"
    );
}

#[test]
fn an_unknown_package_shows_its_line() {
    let text = "package t:w;\nworld w { import t:nowhere/log; }";
    let message = error(&[("w.wit", text)], None).to_string();
    assert!(
        message.starts_with("invalid WIT: package 't:nowhere' not found. known packages:"),
        "{message}"
    );
    assert!(message.contains("--> w.wit:2:18\n"), "{message}");
}

#[test]
fn cyclic_packages_are_rejected() {
    let a = (
        "a.wit",
        "package t:a; interface i { use t:b/i.{t}; } world w { import i; }",
    );
    let b = ("b.wit", "package t:b; interface i { use t:a/i.{t}; }");
    let message = error(&[a, b], None).to_string();
    assert!(message.contains("creates a dependency cycle"), "{message}");
}

#[test]
fn a_text_without_a_package_is_rejected() {
    let message = error_chain(&error(&[("w.wit", "world w {}")], None));
    assert_eq!(
        message,
        "invalid WIT: no `package` header was found in any WIT file for this package"
    );
}

/// A component of a world that uses the standard packages.
fn wasi_component(wit: &str) -> Component {
    let mut wit = wit.to_owned();
    wit.push_str(&nested_wasi());
    component("app", &wit)
}

/// Constructs that `wit-parser` parses recursively.
#[test]
fn deeply_nested_wit_is_rejected() {
    let deep = 100_000;
    for open in ["list<", "tuple<u8, ", "option<result<_, "] {
        let text = format!(
            "package t:w; world w {{ import f: func() -> {}",
            open.repeat(deep)
        );
        error(&[("w.wit", &text)], None);
    }
    error(&[("w.wit", &"package a:b { ".repeat(deep))], None);
    error(&[("w.wit", &"/*".repeat(deep))], None);
    error(
        &[("w.wit", &format!("package {}", "a:".repeat(deep)))],
        None,
    );
}

#[test]
fn types_nested_more_than_100_levels_are_rejected() {
    let types = |end: usize| -> String {
        let types = (1..end).map(|i| format!("type a{i} = tuple<a{}>;\n", i - 1));
        types.collect()
    };
    let text = format!(
        "package t:w; interface i {{ type a0 = u8; {} f: func(a: a49999); }} \
         world w {{ import i; }}",
        types(50_000)
    );
    assert_eq!(
        error_chain(&error(&[("w.wit", &text)], None)),
        "invalid WIT: the type `a99` is nested more than 100 levels deep"
    );
}

const WORDS: &[&str] = &[
    "package",
    "t:w",
    "t:x@1.0.0",
    ";",
    "{",
    "}",
    "world",
    "w",
    "interface",
    "i",
    "import",
    "export",
    "include",
    "use",
    "t:x/i@1.0.0",
    "wasi:io/streams@0.2.12",
    ".{",
    "type",
    "t",
    "=",
    "u8",
    "list<",
    "stream<",
    "future<",
    ">",
    "(",
    ")",
    "func",
    "async",
    "->",
    ":",
    "resource",
    "static",
    "constructor",
    "record",
    "variant",
    "flags",
    "enum",
    "borrow<",
    ",",
    "/*",
    "*/",
    "//",
    "\n",
    "%",
    "@since(version = 0.2.0)",
    "@unstable(feature = f)",
    "as",
    "with",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_causes_a_panic(first in any::<String>(), second in any::<String>()) {
        let _ = World::from_wit(&texts(&[("a.wit", &first), ("b.wit", &second)]), None);
    }

    #[test]
    fn no_words_cause_a_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        let first = format!("package t:w; {}", words.join(" "));
        let second = format!("package t:x@1.0.0; interface i {{ type t = u8; {}", words.join(" "));
        let _ = World::from_wit(&texts(&[("a.wit", &first), ("b.wit", &second)]), None);
    }
}

#[test]
fn earlier_versions_of_wasi_are_built_in() {
    let app = "package t:app; world app { include wasi:http/proxy@0.2.12; }";
    let app = wasi_component(app);
    for version in ["0.2.0", "0.2.4", "0.2.11", "0.2.12"] {
        let host =
            format!("\u{feff}package t:host; world host {{ include wasi:http/proxy@{version}; }}");
        let world = world(&[("host.wit", &host)], None);
        let findings = findings(&app, &world);
        assert_eq!(findings, Vec::<String>::new(), "{version}");
    }
    // Later functions are missing.
    let app = wasi_component("package t:app; world app { import wasi:cli/exit@0.2.12; }");
    for (version, missing) in [("0.2.4", 1), ("0.2.12", 0)] {
        let host = format!("package t:host; world host {{ import wasi:cli/exit@{version}; }}");
        let findings = findings(&app, &world(&[("host.wit", &host)], None));
        assert_eq!(findings.len(), missing, "{version}: {findings:?}");
        assert!(
            findings
                .iter()
                .all(|finding| finding.contains("`exit-with-code: func("))
        );
    }
    let late = "package t:host; world host { import wasi:cli/environment@0.2.99; }";
    let message = error(&[("host.wit", late)], None).to_string();
    assert!(
        message.contains("package 'wasi:cli@0.2.99' not found"),
        "{message}"
    );
}

#[test]
fn a_text_of_an_earlier_version_uses_the_others_of_that_version() {
    let host = "package t:host; world host { import wasi:http/types@0.2.4; }";
    let http = "package wasi:http@0.2.4; interface types { use wasi:io/streams@0.2.4.{input-stream}; \
                take: func(body: input-stream); }";
    let world = world(&[("host.wit", host), ("http.wit", http)], None);
    let app = "package t:app; world app { import wasi:io/streams@0.2.12; }";
    assert_eq!(findings(&wasi_component(app), &world).len(), 0);
}
