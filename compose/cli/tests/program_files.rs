//! The program: reports, plans, manifests, and unusual files.

mod support;

use std::fmt::Write;
use std::fs;
use std::process::Command;

use pretty_assertions::assert_eq;
use support::{CIPHER, Folder, code, json, stderr, stdout};
use test_components::from_wat;

#[test]
fn format_json_prints_success_and_failure() {
    let folder = Folder::new();
    let link = [
        "link",
        "root.wasm",
        "--format",
        "json",
        "-o",
        "app.wasm",
        "--with",
        "cipher.wasm",
    ];
    let linked = json(&folder.run(&link));
    assert_eq!(linked["structure"]["wires"][0]["provider"], "cipher");
    assert_eq!(linked["whole"]["name"], "app");
    let output = folder.run(&[&link[..], &["b=cipher.wasm"]].concat());
    assert_eq!(code(&output), Some(4));
    let found = &json(&output)["report"]["diagnostics"][0];
    assert_eq!(found["code"], "ambiguous-provider");
    assert_eq!(found["importer"], "root");
    assert_eq!(found["interface"], "t:cipher/cipher@0.1.0");
    assert_eq!(found["candidates"], serde_json::json!(["b", "cipher"]));
    for command in [
        &["inspect", "app.wasm"][..],
        &["verify", "app.wasm"],
        &["diff", "app.wasm", "root.wasm"],
        &["check", "app.wasm", "--world", "proxy"],
    ] {
        let output = folder.run(&[command, &["--format", "json"]].concat());
        assert!(json(&output).is_object(), "{command:?}");
    }
    let output = folder.run(&["check", "app.wasm", "--world", "proxy", "--format", "json"]);
    assert_eq!(code(&output), Some(2));
    assert_eq!(json(&output)["component"], "app");
}

#[test]
fn output_dash_writes_the_report_to_standard_error() {
    let folder = Folder::new();
    let output = folder.run(&["link", "root.wasm", "--format", "json", "-o", "-"]);
    wasmparser::validate(&output.stdout).expect("a valid component");
    let report: serde_json::Value = serde_json::from_slice(&output.stderr).expect("JSON");
    assert_eq!(report["whole"]["size_bytes"], output.stdout.len());
}

#[test]
fn dry_run_prints_a_plan_for_build_graph_and_emit_wac() {
    let folder = Folder::new();
    let link = ["link", "root.wasm", "--with", "cipher.wasm"];
    let plan = folder.run(&[&link[..], &["--dry-run", "--format", "json"]].concat());
    folder.write("plan.json", &plan.stdout);
    folder.run(&[&link[..], &["-o", "root-linked.wasm"]].concat());

    let built = folder.run(&["build", "plan.json", "-o", "built.wasm"]);
    assert_eq!(code(&built), Some(0), "{}", stderr(&built));
    let read = |name: &str| fs::read(folder.path(name)).expect("there");
    assert_eq!(read("built.wasm"), read("root-linked.wasm"));

    let drawn = folder.run(&["graph", "plan.json"]);
    assert!(stdout(&drawn).starts_with("<svg"), "{}", stderr(&drawn));
    let written = folder.run(&["emit-wac", "plan.json"]);
    assert!(stdout(&written).contains("new parts:cipher"));

    folder.write("cipher.wasm", &read("root.wasm"));
    let output = folder.run(&["build", "plan.json", "-o", "changed.wasm"]);
    assert_eq!(code(&output), Some(3));
    assert!(stderr(&output).starts_with("error[changed-part]: `cipher`"));
}

#[test]
fn build_writes_outputs_relative_to_the_manifest() {
    let folder = Folder::new();
    folder.write(
        "compose.toml",
        b"[components]
          root = { file = 'root.wasm' }
          cipher = { file = 'cipher.wasm' }
          app = { link = 'root', with = ['cipher'], output = 'deep/er/app.wasm' }",
    );
    let output = folder.run(&["build"]);
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("deep/er/app.wasm: "));
    assert!(folder.path("deep/er/app.wasm").exists());
    let output = folder.run(&["build", "--dry-run", "--format", "json"]);
    assert_eq!(json(&output)[0]["output"], "deep/er/app.wasm");
}

#[test]
fn check_world_accepts_a_wit_file_or_folder() {
    let folder = Folder::new();
    let wit = "package t:host; world host { import t:cipher/cipher@0.1.0; }";
    let deps = CIPHER.replace("package t:app@0.1.0 { interface run { run: func(); } }", "");
    folder.write("host.wit", format!("{wit} {deps}").as_bytes());
    let check = |world: &str| folder.run(&["check", "root.wasm", "--world", world]);
    for world in ["host.wit", "host.wit#host"] {
        assert_eq!(code(&check(world)), Some(0), "{}", stderr(&check(world)));
    }
    fs::create_dir_all(folder.path("wit/deps/cipher")).expect("a folder");
    folder.write("wit/host.wit", wit.as_bytes());
    let cipher =
        "package t:cipher@0.1.0; interface cipher { encrypt: func(text: string) -> string; }";
    folder.write("wit/deps/cipher/cipher.wit", cipher.as_bytes());
    assert_eq!(
        code(&check("wit#host")),
        Some(0),
        "{}",
        stderr(&check("wit#host"))
    );
    assert_eq!(
        stderr(&check("host.wit#moon")),
        "error: the package `t:host` has no world `moon`; its only world is `host`\n"
    );
}

#[test]
fn a_file_of_100_mib_of_zeros_is_rejected() {
    let folder = Folder::new();
    let file = fs::File::create(folder.path("large.wasm")).expect("a file");
    file.set_len(100 << 20).expect("can grow");
    let output = folder.run(&["inspect", "large.wasm"]);
    assert_eq!(code(&output), Some(5));
    assert_eq!(
        stderr(&output),
        "error: cannot use `large.wasm`: `large` is not WebAssembly: it does not start with the \
         bytes `\\0asm`\n"
    );
}

#[test]
fn more_than_100_levels_of_type_references_are_rejected() {
    let folder = Folder::new();
    let mut types = r#"(type $t0 (instance (export "f" (func))))"#.to_owned();
    for level in 1..150 {
        let below = level - 1;
        write!(
            types,
            r#"(type $t{level} (instance
                (alias outer 1 $t{below} (type $below)) (export "n" (instance (type $below)))))
            (import "p{level}" (func))"#
        )
        .expect("memory");
    }
    folder.write("deep.wasm", &from_wat(&format!("(component {types})")));
    let output = folder.run(&["inspect", "deep.wasm"]);
    assert_eq!(
        stderr(&output),
        "error: cannot use `deep.wasm`: `deep` has a type with more than 100 levels of type references; build it with fewer levels of types\n"
    );
    assert_eq!(code(&output), Some(5));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_not_a_failure() {
    let folder = Folder::new();
    for arguments in [
        &["inspect", "root.wasm"][..],
        &["inspect", "root.wasm", "--format", "json"],
        &["graph", "root.wasm"],
        &["env", "--set", "A=b", "-o", "-"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_component-compose"))
            .args(arguments)
            .current_dir(folder.path(""))
            .stdout(writer)
            .output()
            .expect("the program starts");
        assert_eq!(stderr(&output), "", "{arguments:?}");
        assert_eq!(code(&output), Some(0), "{arguments:?}");
    }
}

#[test]
fn a_byte_order_mark_in_a_text_file_is_ignored() {
    let folder = Folder::new();
    let mark = "\u{feff}";
    let text = "package t:whole;\nlet root = new parts:root { ... };\nexport root...;\n";
    folder.write("a.wac", format!("{mark}{text}").as_bytes());
    let output = folder.run(&["run", "a.wac", "--with", "root.wasm", "-o", "out.wasm"]);
    assert_eq!((code(&output), stderr(&output).as_str()), (Some(0), ""));

    let world = "package t:host; world host {}";
    folder.write("host.wit", format!("{mark}{world}").as_bytes());
    let output = folder.run(&["check", "cipher.wasm", "--world", "host.wit#host"]);
    assert_eq!((code(&output), stderr(&output).as_str()), (Some(0), ""));

    let link = [
        "link",
        "root.wasm",
        "--with",
        "cipher.wasm",
        "--dry-run",
        "--format",
        "json",
    ];
    let plan = stdout(&folder.run(&link));
    folder.write("plan.json", format!("{mark}{plan}").as_bytes());
    let output = folder.run(&["build", "plan.json", "-o", "built.wasm"]);
    assert_eq!((code(&output), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn run_wit_adds_the_target_world() {
    let folder = Folder::new();
    let world = |body: &str| format!("package t:host; world host {{ {body} }}");
    folder.write("host.wit", world("export run: func();").as_bytes());
    let text = "package t:whole targets t:host/host;\nlet root = new parts:root { ... };\n\
                export root...;\n";
    folder.write("a.wac", text.as_bytes());
    let run = [
        "run",
        "a.wac",
        "--with",
        "root.wasm",
        "--wit",
        "host.wit",
        "-o",
        "out.wasm",
    ];
    let output = folder.run(&run);
    assert_eq!(code(&output), Some(64));
    assert!(
        stderr(&output).contains("t:cipher/cipher@0.1.0"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn check_lists_core_features() {
    let folder = Folder::new();
    folder.write("world.wit", b"package t:host; world host {}");
    let check = |modules: &str| {
        folder.write("a.wasm", &from_wat(&format!("(component {modules})")));
        stdout(&folder.run(&["check", "a.wasm", "--world", "world.wit#host"]))
    };
    assert_eq!(
        check("(core module (memory 1) (table 1 funcref))"),
        "`a` runs on any host of `t:host/host`\n"
    );
    assert_eq!(
        check("(core module (memory 1) (memory 1) (table 1 funcref) (table 1 funcref) (tag))"),
        "`a` runs on hosts with the core features below and `t:host/host`
core feature exceptions
core feature multi-memory: a module has 2 memories, for which `wasmtime serve` requires \
         `-O pooling-max-memories-per-module=2`, and which jco does not support
core feature reference-types: a module has 2 tables, for which `wasmtime serve` requires \
         `-O pooling-max-tables-per-module=2`\n"
    );
}
