//! The program, as somebody uses it: exit codes, messages, files.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use pretty_assertions::assert_eq;
use tempfile::TempDir;
use test_components::{HTTP_SERVER, from_wat, from_wit};

const CIPHER: &str = "
    package t:cipher@0.1.0 { interface cipher { encrypt: func(text: string) -> string; } }
    package t:app@0.1.0 { interface run { run: func(); } }
";

/// A folder with components in it, deleted when dropped.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(TempDir::new().expect("a folder"));
        let world = |body: &str| from_wit(&format!("package t:t; world t {{ {body} }} {CIPHER}"));
        let root = "import t:cipher/cipher@0.1.0; export t:app/run@0.1.0;";
        folder.write("root.wasm", &world(root));
        folder.write("cipher.wasm", &world("export t:cipher/cipher@0.1.0;"));
        folder.write("module.wasm", &from_wat("(module)"));
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("can write");
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.into_string().expect("UTF-8"))
            .collect();
        names.sort();
        names
    }

    /// Runs the program in this folder, with backtraces asked for.
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_component-compose"))
            .args(arguments)
            .current_dir(self.0.path())
            .env("RUST_BACKTRACE", "1")
            .output()
            .expect("the program starts")
    }
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn link_writes_the_composition_and_says_what_it_composed() {
    let folder = Folder::new();
    let output = folder.run(&[
        "link",
        "root.wasm",
        "--with",
        "cipher.wasm",
        "-o",
        "app.wasm",
    ]);
    assert_eq!(code(&output), Some(0));
    let bytes = fs::read(folder.path("app.wasm")).expect("written");
    wasmparser::validate(&bytes).expect("a valid component");
    let expected = format!(
        "root -- t:cipher/cipher@0.1.0 --> cipher\nexport t:app/run@0.1.0\n{} bytes\n",
        bytes.len()
    );
    assert_eq!(stdout(&output), expected);
    assert_eq!(stderr(&output), "");
}

#[test]
fn link_replaces_an_earlier_result_and_leaves_no_other_file() {
    let folder = Folder::new();
    folder.write("app.wasm", b"earlier");
    let before = folder.names();
    let output = folder.run(&["link", "root.wasm", "-o", "app.wasm"]);
    assert_eq!(code(&output), Some(0));
    assert_ne!(
        fs::read(folder.path("app.wasm")).expect("there"),
        b"earlier"
    );
    assert_eq!(folder.names(), before);
}

#[test]
fn the_output_can_go_to_standard_output() {
    let folder = Folder::new();
    let output = folder.run(&["link", "root.wasm", "--with", "cipher.wasm", "-o", "-"]);
    assert_eq!(code(&output), Some(0));
    wasmparser::validate(&output.stdout).expect("a valid component");
}

#[test]
fn parts_can_follow_one_flag_or_several() {
    let folder = Folder::new();
    let env = folder.run(&[
        "env", "--set", "A=1", "B=2", "--set", "C=3", "-o", "env.wasm",
    ]);
    assert_eq!(code(&env), Some(0));
    let output = folder.run(&[
        "link",
        "--with",
        "cipher.wasm",
        "--with",
        "env.wasm",
        "-o",
        "app.wasm",
        "root.wasm",
    ]);
    assert_eq!(
        stderr(&output),
        "error[unused-part]: `env` is unused: it exports `wasi:cli/environment@0.2.12`, which \
         no other component imports; leave it out\n"
    );
    assert_eq!(code(&output), Some(3));
}

#[test]
fn a_failed_link_creates_no_file() {
    let folder = Folder::new();
    let before = folder.names();
    let output = folder.run(&[
        "link",
        "root.wasm",
        "--with",
        "module.wasm",
        "-o",
        "app.wasm",
    ]);
    assert_eq!(code(&output), Some(5));
    assert_eq!(
        stderr(&output),
        "error: cannot use `module.wasm`: `module` is a core module, not a component; make a \
         component of it with `wasm-tools component new`\n"
    );
    assert_eq!(folder.names(), before);
}

#[test]
fn a_file_that_is_missing_is_named() {
    let folder = Folder::new();
    let output = folder.run(&["link", "absent.wasm", "-o", "app.wasm"]);
    assert_eq!(code(&output), Some(1));
    assert_eq!(
        stderr(&output),
        "error: cannot read `absent.wasm`: No such file or directory (os error 2)\n"
    );
}

#[test]
fn an_output_that_cannot_be_written_is_named_and_leaves_no_other_file() {
    let folder = Folder::new();
    fs::create_dir(folder.path("app.wasm")).expect("a folder");
    let before = folder.names();
    let output = folder.run(&["link", "root.wasm", "-o", "app.wasm"]);
    assert_eq!(code(&output), Some(1));
    assert!(stderr(&output).starts_with("error: cannot write `app.wasm`: "));
    assert_eq!(folder.names(), before);
}

#[test]
fn a_command_line_that_cannot_be_used_exits_64() {
    let folder = Folder::new();
    let unusable: [&[&str]; 8] = [
        &[],
        &["frobnicate"],
        &["link", "root.wasm"],
        &[
            "link",
            "root.wasm",
            "--without",
            "cipher.wasm",
            "-o",
            "app.wasm",
        ],
        &["env", "--set", "SHIFT_AMOUNT", "-o", "env.wasm"],
        &["env", "--set", "=3", "-o", "env.wasm"],
        &["env", "--set", "A=1", "--set", "A=2", "-o", "env.wasm"],
        &["check", "root.wasm", "--world", "moon"],
    ];
    let before = folder.names();
    for arguments in unusable {
        let output = folder.run(arguments);
        assert_eq!(code(&output), Some(64), "{arguments:?}");
        assert_ne!(stderr(&output), "", "{arguments:?}");
    }
    assert_eq!(folder.names(), before);
}

#[test]
fn a_variable_without_a_value_is_named_with_its_flag() {
    let folder = Folder::new();
    let output = folder.run(&["env", "--set", "SHIFT_AMOUNT", "-o", "env.wasm"]);
    let message = stderr(&output);
    assert!(
        message.contains("'SHIFT_AMOUNT' for '--set <K=V>...': expected `K=V`"),
        "{message}"
    );
}

#[test]
fn help_and_version_exit_0() {
    let folder = Folder::new();
    for arguments in [&["--help"][..], &["link", "--help"], &["--version"]] {
        let output = folder.run(arguments);
        assert_eq!(code(&output), Some(0));
        assert_eq!(stderr(&output), "");
        assert_ne!(stdout(&output), "");
    }
}

#[test]
fn check_lists_each_import_and_export_that_does_not_fit() {
    let folder = Folder::new();
    let output = folder.run(&["check", "root.wasm", "--world", "proxy"]);
    assert_eq!(code(&output), Some(2));
    assert_eq!(
        stderr(&output),
        "`root` does not run on a host that provides only `wasi:http/proxy`:\n\
         error[superfluous-import]: `root` imports `t:cipher/cipher@0.1.0`, which the world does \
         not have; link a component that exports it\n\
         error[missing-export]: `root` does not export `wasi:http/incoming-handler@0.2.12`, which \
         the world expects; compose with a root that exports it\n"
    );
}

#[test]
fn check_says_so_when_a_component_runs() {
    let folder = Folder::new();
    folder.write("server.wasm", &from_wat(HTTP_SERVER));
    let output = folder.run(&["check", "server.wasm", "--world", "proxy"]);
    assert_eq!(
        stdout(&output),
        "`server` runs on any host of `wasi:http/proxy`\nimport wasi:http/types@0.2.6\n"
    );
    assert_eq!(code(&output), Some(0));
}

#[test]
fn check_of_something_else_fails_with_one_message() {
    let folder = Folder::new();
    let output = folder.run(&["check", "module.wasm", "--world", "proxy"]);
    assert_eq!(code(&output), Some(5));
    assert_eq!(stdout(&output), "");
    assert_eq!(stderr(&output).lines().count(), 1);
}

/// One command for each exit code.
#[test]
fn the_exit_code_tells_what_went_wrong() {
    let folder = Folder::new();
    folder.run(&[
        "link",
        "root.wasm",
        "--with",
        "cipher.wasm",
        "-o",
        "app.wasm",
    ]);
    let other = from_wit(
        "package t:t; world t { export t:cipher/cipher@0.1.0; }
         package t:cipher@0.1.0 { interface cipher { encrypt: func(text: string) -> u32; } }",
    );
    folder.write("other.wasm", &other);
    folder.write("bad.toml", b"[components]\na = 3\n");
    folder.write("bad.wac", b"package t:t; let a = ;");
    let link = |flags: &[&'static str]| [&["link", "root.wasm", "-o", "x.wasm"], flags].concat();
    let cases = [
        (0, vec!["verify", "app.wasm"]),
        (1, vec!["inspect", "absent.wasm"]),
        (
            1,
            vec!["extract", "app.wasm", "cipher", "-o", "absent/x.wasm"],
        ),
        (2, link(&["--deny-imports", "*"])),
        (2, vec!["extract", "app.wasm", "moon", "-o", "x.wasm"]),
        (2, vec!["stub", "t:moon/moon", "-o", "x.wasm"]),
        (3, link(&["--with", "other.wasm"])),
        (3, vec!["verify", "root.wasm"]),
        (4, link(&["--with", "cipher.wasm", "b=cipher.wasm"])),
        (4, link(&["--with", "cipher.wasm", "cipher.wasm"])),
        (5, vec!["inspect", "module.wasm"]),
        (64, link(&["--prefer", "t:cipher/cipher=cipher.wasm"])),
        (64, vec!["build", "bad.toml"]),
        (64, vec!["run", "bad.wac", "-o", "x.wasm"]),
        (64, vec!["check", "app.wasm", "--world", "bad.toml#x"]),
    ];
    for (expected, arguments) in cases {
        let output = folder.run(&arguments);
        assert_eq!(
            code(&output),
            Some(expected),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert_eq!(stderr(&output).is_empty(), expected == 0, "{arguments:?}");
    }
    assert!(!folder.path("x.wasm").exists());
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_report_for_programs_is_json_whether_it_fits_or_not() {
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
fn with_the_component_on_standard_output_the_report_goes_to_standard_error() {
    let folder = Folder::new();
    let output = folder.run(&["link", "root.wasm", "--format", "json", "-o", "-"]);
    wasmparser::validate(&output.stdout).expect("a valid component");
    let report: serde_json::Value = serde_json::from_slice(&output.stderr).expect("JSON");
    assert_eq!(report["whole"]["size_bytes"], output.stdout.len());
}

#[test]
fn a_plan_that_was_printed_can_be_built_drawn_and_written_as_wac() {
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
fn a_manifest_is_built_beside_itself_into_folders_that_it_names() {
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
fn a_world_of_a_wit_file_or_folder_is_checked_against() {
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
fn a_hundred_megabytes_of_nothing_are_refused_with_a_word() {
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
fn types_of_types_that_go_too_deep_are_refused_with_a_word() {
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
fn a_reader_that_has_seen_enough_is_not_a_failure() {
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
fn a_byte_order_mark_before_a_file_is_not_part_of_it() {
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
fn a_world_that_a_text_targets_may_be_in_a_file() {
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
fn check_names_the_core_features_that_a_component_uses() {
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
