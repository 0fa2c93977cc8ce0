//! The program: outputs, messages and exit codes.

mod support;

use std::fs;

use pretty_assertions::assert_eq;
use support::{Folder, code, stderr, stdout};
use test_components::{HTTP_SERVER, from_wat, from_wit};

#[test]
fn link_writes_and_describes_the_composition() {
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
fn output_replaces_a_file_and_leaves_no_temporary_file() {
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
fn output_dash_writes_to_standard_output() {
    let folder = Folder::new();
    let output = folder.run(&["link", "root.wasm", "--with", "cipher.wasm", "-o", "-"]);
    assert_eq!(code(&output), Some(0));
    wasmparser::validate(&output.stdout).expect("a valid component");
}

#[test]
fn with_and_set_accept_one_value_or_several() {
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
fn a_failed_link_writes_no_file() {
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
fn a_missing_file_is_named() {
    let folder = Folder::new();
    let output = folder.run(&["link", "absent.wasm", "-o", "app.wasm"]);
    assert_eq!(code(&output), Some(1));
    assert_eq!(
        stderr(&output),
        "error: cannot read `absent.wasm`: No such file or directory (os error 2)\n"
    );
}

#[test]
fn an_unwritable_output_is_named_and_leaves_no_temporary_file() {
    let folder = Folder::new();
    fs::create_dir(folder.path("app.wasm")).expect("a folder");
    let before = folder.names();
    let output = folder.run(&["link", "root.wasm", "-o", "app.wasm"]);
    assert_eq!(code(&output), Some(1));
    assert!(stderr(&output).starts_with("error: cannot write `app.wasm`: "));
    assert_eq!(folder.names(), before);
}

#[test]
fn an_invalid_command_line_exits_64() {
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
fn set_without_a_value_names_the_variable() {
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
fn check_reports_each_incompatible_import_and_export() {
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
fn check_lists_the_imports_of_a_compatible_component() {
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
fn check_of_a_core_module_exits_5() {
    let folder = Folder::new();
    let output = folder.run(&["check", "module.wasm", "--world", "proxy"]);
    assert_eq!(code(&output), Some(5));
    assert_eq!(stdout(&output), "");
    assert_eq!(stderr(&output).lines().count(), 1);
}

/// At least one command for each exit code.
#[test]
fn every_exit_code_has_its_failures() {
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
