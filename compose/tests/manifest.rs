//! Manifests: recipes and errors.

use std::collections::BTreeMap;

use compose::{BuildErrorKind, BuiltOutput, Component, Manifest, extract, verify};
use pretty_assertions::assert_eq;
use test_components::{error_chain, from_wit};

const INTERFACES: &str = "
    package t:parts@0.1.0 {
      interface words { next: func(text: string) -> string; }
      interface log { line: func(text: string); }
    }
    package t:app@0.1.0 { interface run { run: func(); } }
";

fn part(world: &str) -> Vec<u8> {
    from_wit(&format!(
        "package t:test; world test {{ {world} }} {INTERFACES}"
    ))
}

fn files() -> BTreeMap<String, Vec<u8>> {
    let text = |text: &str| text.as_bytes().to_vec();
    [
        (
            "root.wasm",
            part("import t:parts/words@0.1.0; export t:app/run@0.1.0;"),
        ),
        (
            "words.wasm",
            part("import t:parts/log@0.1.0; export t:parts/words@0.1.0;"),
        ),
        (
            "layer.wasm",
            part("import t:parts/words@0.1.0; export t:parts/words@0.1.0;"),
        ),
        ("plain.wasm", part("export t:parts/words@0.1.0;")),
        (
            "both.wasm",
            part("export t:parts/words@0.1.0; export t:app/run@0.1.0;"),
        ),
        (
            "app.wac",
            text(
                "package t:whole; let words = new parts:words { ... };
                 let root = new parts:root { \"t:parts/words@0.1.0\": words[\"t:parts/words@0.1.0\"] };
                 export root...;",
            ),
        ),
        (
            "target.wac",
            text(
                "package t:whole targets t:host/app;
                 let root = new parts:root { ... };
                 export root...;",
            ),
        ),
        (
            "app.wit",
            text(
                "package t:host;
                 world app { import t:parts/words@0.1.0; export t:app/run@0.1.0; }
                 package t:parts@0.1.0 { interface words { next: func(text: string) -> string; } }
                 package t:app@0.1.0 { interface run { run: func(); } }",
            ),
        ),
        ("host.wit", text("package t:host; world host { import t:parts/log@0.1.0; }
            package t:parts@0.1.0 { interface log { line: func(text: string); } }")),
        ("bytes.wac", vec![0xff]),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into()
}

/// A stand-in for the function that fuses.
fn fuse(component: &Component) -> Result<Vec<u8>, String> {
    let mut fused = files();
    fused
        .remove("plain.wasm")
        .ok_or(component.name().to_owned())
}

fn build(text: &str) -> Result<Vec<BuiltOutput>, String> {
    let manifest = Manifest::parse(text).map_err(|error| error_chain(&error))?;
    manifest
        .build(&files(), fuse)
        .map_err(|error| error_chain(&error))
}

const PARTS: &str = "
    [components]
    root = { file = 'root.wasm' }
    words = { file = 'words.wasm' }
    layer = { file = 'layer.wasm' }
    plain = { file = 'plain.wasm' }
    no-log = { stub = ['t:parts/log'], for = 'words' }
";

/// The output of a declaration that is added to the parts. Every part is used.
fn output(declaration: &str) -> BuiltOutput {
    let unused = "
        [components.a]
        link = 'root'
        with = ['words']
        output = 'unused-a'
        [components.b]
        link = 'layer'
        with = ['plain']
        output = 'unused-b'
        [components.c]
        link = 'words'
        with = ['no-log']
        output = 'unused-c'
    ";
    let outputs = build(&format!("{PARTS}{unused}{declaration}")).expect("it builds");
    let mut wanted = outputs
        .into_iter()
        .filter(|output| !output.path.starts_with("unused"));
    wanted.next().expect("an output")
}

fn wires(output: &BuiltOutput) -> Vec<String> {
    let wires = output.composition.wires.iter();
    wires.map(ToString::to_string).collect()
}

#[test]
fn link_refers_to_components_of_the_manifest() {
    let output =
        output("[components.app]\nlink = 'root'\nwith = ['words', 'no-log']\noutput = 'app'");
    assert_eq!((output.name.as_str(), output.path.as_str()), ("app", "app"));
    assert_eq!(
        wires(&output),
        [
            "root -- t:parts/words@0.1.0 --> words",
            "words -- t:parts/log@0.1.0 --> no-log"
        ]
    );
    assert_eq!(output.composition.imports, []);
    assert_eq!(verify("app", &output.bytes).report.diagnostics, []);
}

#[test]
fn chain_puts_middlewares_in_front_of_around() {
    let output = output(
        "[components.app]\nchain = ['layer']\non = 't:parts/words'\naround = 'words'\n\
         with = ['no-log']\noutput = 'app'",
    );
    assert_eq!(
        wires(&output),
        [
            "layer -- t:parts/words@0.1.0 --> words",
            "words -- t:parts/log@0.1.0 --> no-log"
        ]
    );
}

#[test]
fn swap_keeps_the_name_of_the_part() {
    let output =
        output("[components.app]\nswap = 'a'\nreplace = { words = 'plain' }\noutput = 'app'");
    let app = Component::new("app", output.bytes).expect("valid");
    assert_eq!(extract(&app, "words").as_ref(), Ok(&files()["plain.wasm"]));
}

#[test]
fn wac_refers_to_components_of_the_manifest() {
    let output =
        output("[components.app]\nwac = 'app.wac'\nwith = ['root', 'words']\noutput = 'app'");
    assert_eq!(wires(&output), ["root -- t:parts/words@0.1.0 --> words"]);
    assert_eq!(verify("app", &output.bytes).report.diagnostics, []);
}

#[test]
fn wac_may_target_a_world_of_the_key_wit() {
    let made = |further: &str| {
        build(&format!(
            "[components]
             root = {{ file = 'root.wasm' }}
             [components.app]
             wac = 'target.wac'
             with = ['root']
             {further}
             output = 'app'"
        ))
    };
    let error = made("").expect_err("no such world");
    assert!(error.contains("t:host"), "{error}");
    let outputs = made("wit = ['app.wit']").expect("it builds");
    let imports = outputs[0]
        .composition
        .imports
        .iter()
        .map(|import| &*import.name);
    assert_eq!(imports.collect::<Vec<_>>(), ["t:parts/words@0.1.0"]);
}

#[test]
fn also_export_adds_exports_of_the_app() {
    let exports = |further: &str| {
        let text = format!(
            "[components]
             layer = {{ file = 'layer.wasm' }}
             both = {{ file = 'both.wasm' }}
             [components.app]
             chain = ['layer']
             on = 't:parts/words'
             around = 'both'
             {further}
             output = 'app'"
        );
        let outputs = build(&text).expect("it builds");
        let exports = outputs[0].composition.exports.iter();
        exports
            .map(|export| export.name.clone())
            .collect::<Vec<_>>()
    };
    let words = "t:parts/words@0.1.0";
    assert_eq!(exports(""), [words]);
    assert_eq!(
        exports("also-export = ['t:app/run']"),
        ["t:app/run@0.1.0", words]
    );
}

#[test]
fn fuse_calls_the_function_of_the_caller() {
    let output = output("[components.app]\nfuse = 'a'\noutput = 'app'");
    assert_eq!(output.bytes, files()["plain.wasm"]);
}

#[test]
fn the_order_of_keys_does_not_matter() {
    let sorted = "
        [components]
        plain = { file = 'plain.wasm' }
        root = { file = 'root.wasm' }
        [components.layered]
        chain = ['layer']
        on = 't:parts/words'
        around = 'plain'
        [components.app]
        link = 'root'
        with = ['layered']
        output = 'app'
        [components.layer]
        file = 'layer.wasm'
    ";
    let shuffled = "
        [components.app]
        output = 'app'
        with = ['layered']
        link = 'root'
        [components.layer]
        file = 'layer.wasm'
        [components.layered]
        around = 'plain'
        on = 't:parts/words'
        chain = ['layer']
        [components]
        root = { file = 'root.wasm' }
        plain = { file = 'plain.wasm' }
    ";
    let bytes = |text| build(text).expect("it builds")[0].bytes.clone();
    assert_eq!(bytes(sorted), bytes(shuffled));
    let with = |with: &str| {
        let app = format!("[components.app]\nlink = 'root'\nwith = {with}\noutput = 'app'");
        output(&app).bytes
    };
    assert_eq!(with("['words', 'no-log']"), with("['no-log', 'words']"));
}

#[test]
fn files_returns_all_inputs_of_a_manifest() {
    let manifest = Manifest::parse(
        "[components]
         a = { file = 'a.wasm', world = 'host.wit#host', output = 'x' }
         b = { wac = 'b.wac', with = ['a'], wit = ['b.wit'], output = 'y' }
         c = { stub = ['t:a/b'], wit = ['c.wit'], output = 'z' }",
    );
    let manifest = manifest.expect("it makes sense");
    let files: Vec<&str> = manifest.files().into_iter().collect();
    assert_eq!(files, ["a.wasm", "b.wac", "b.wit", "c.wit", "host.wit"]);
}

#[test]
fn world_and_deny_imports_fail_the_build() {
    let app = "[components.app]\nlink = 'words'\nworld = 'host.wit#host'\noutput = 'app'";
    assert_eq!(output(app).composition.imports.len(), 1);
    let text = "[components.app]\nfile = 'root.wasm'\nworld = 'host.wit'\noutput = 'app'";
    let error = build(text).expect_err("words are not in the world");
    assert!(
        error.starts_with(
            "`components.app`: error[superfluous-import]: `app` imports `t:parts/words@0.1.0`"
        ),
        "{error}"
    );
    let denied = "[components.app]\nfile = 'root.wasm'\ndeny-imports = ['t:*']\noutput = 'app'";
    let error = build(denied).expect_err("denied");
    assert!(error.contains("error[denied-import]"), "{error}");
}

/// Invalid manifests and their errors.
const INVALID: [(&str, &str); 17] = [
    (
        "[components]\na = { file = 'a' }",
        "`components.a` is unused and has no `output`; use it, or remove it",
    ),
    (
        "[components.a]\noutput = 'a'",
        "`components.a` must have exactly one of the keys `file`, `env`, `stub`, \
         `link`, `chain`, `swap`, `wac`, `fuse`; it has none",
    ),
    (
        "[components.a]\nfile = 'a'\nfuse = 'b'\noutput = 'a'",
        "`components.a` must have exactly one of the keys `file`, `env`, `stub`, \
         `link`, `chain`, `swap`, `wac`, `fuse`; it has `file` and `fuse`",
    ),
    (
        "[components.a]\nfile = 'a'\nwith = ['a']\noutput = 'a'",
        "`components.a.with` does not apply to the recipe `file`; remove it",
    ),
    (
        "[components.a]\nchain = ['a']\naround = 'a'\noutput = 'a'",
        "`components.a` lacks the key `on`, which the recipe `chain` requires",
    ),
    (
        "[components.a]\nlink = 'moon'\noutput = 'a'",
        "`components.a` refers to the unknown component `moon`; known components: `a`",
    ),
    (
        "[components.a]\nlink = 'b'\noutput = 'a'\n[components.b]\nfuse = 'a'",
        "dependency cycle: a → b → a",
    ),
    (
        "[components.a]\nfile = 'a'\noutput = 'x'\n[components.b]\nfile = 'b'\noutput = 'x'",
        "`components.a` and `components.b` both have the output `x`",
    ),
    (
        "[components.a]\nfile = 'a'\noutput = './x'\n[components.b]\nfile = 'b'\noutput = 'y/../x'",
        "`components.a` and `components.b` both have the output `y/../x`",
    ),
    (
        "[components.a]\nfile = 'a'\noutput = ''",
        "`components.a.output` is ``, which is not a file name; name another file",
    ),
    (
        "[components.a]\nfile = 'a'\nworld = 'w.wit#w'\noutput = './w.wit'",
        "`components.a.output` is `./w.wit`, which is an input of the manifest; name another file",
    ),
    (
        "[components.a]\nfile = 'a'\nwrold = 'proxy'\noutput = 'x'",
        "TOML parse error at line 3, column 1 | 3 | wrold = 'proxy' | ^^^^^ unknown field `wrold`, \
         expected one of ",
    ),
    (
        "[components.a]\nfile = 'a'\nworld = 'moon'\noutput = 'x'",
        "TOML parse error at line 3, column 9 | 3 | world = 'moon' | ^^^^^^ unknown world `moon`; expected `proxy`, `command`, `service`, `middleware`, a world of WASI such as `wasi:cli/command@0.3.0`, or `PATH#world`, where PATH is a WIT file or folder",
    ),
    (
        "[components.a]\nfile = 3",
        "TOML parse error at line 2, column 8 | 2 | file = 3 | ^ invalid type: integer `3`, \
         expected a string",
    ),
    (
        "[components.a]\nfile = 'absent.wasm'\noutput = 'x'",
        "`components.a`: the file `absent.wasm` was not read",
    ),
    (
        "[components.a]\nwac = 'bytes.wac'\noutput = 'x'",
        "`components.a`: the file `bytes.wac` is not UTF-8 text",
    ),
    (
        "[components.a]\nfile = 'host.wit'\noutput = 'x'",
        "`components.a`: `a` is text, not a component",
    ),
];

#[test]
fn manifest_errors_name_component_and_key_or_line() {
    for (text, expected) in INVALID {
        let error = build(text).expect_err(text);
        let error: Vec<&str> = error.split_whitespace().collect();
        let error = error.join(" ");
        assert!(error.starts_with(expected), "{text}\n{error}\n{expected}");
    }
}

#[test]
fn build_error_names_the_component() {
    let manifest = Manifest::parse("[components.a]\nenv = { '' = 'x' }\noutput = 'a'");
    let error = manifest
        .expect("it parses")
        .build(&files(), fuse)
        .expect_err("no name");
    assert_eq!(error.name, "a");
    assert!(matches!(error.kind, BuildErrorKind::Environment(_)));
}
