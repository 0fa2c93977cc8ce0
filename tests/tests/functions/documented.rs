//! The examples of `docs/guide/functions.md`.

use std::fs;
use std::process::Command;

use end_to_end::artifacts::{component, experiment, program, workspace};
use end_to_end::functions::Folder;
use end_to_end::process::Finished;
use end_to_end::{TestHost, client};

fn document() -> String {
    fs::read_to_string(workspace().join("docs/guide/functions.md")).expect("a document")
}

/// The example of a file, with all files that it names.
fn example() -> Folder {
    let document = document();
    let (_, file) = document.split_once("```toml\n").expect("an example");
    let (file, _) = file.split_once("```").expect("its end");
    let folder = Folder::new();
    folder.put_component("http-adapter");
    folder.put_component("app");
    let cipher = fs::read(component("cipher")).expect("a component");
    folder.put("functions/cipher.wasm", cipher);
    folder.put("token.txt", "secret");
    folder.put("functions.toml", file);
    folder
}

#[test]
fn the_example_functions_file_is_valid() {
    let folder = example();
    let Finished {
        code,
        stdout,
        stderr,
    } = TestHost::serve_functions("functions.toml")
        .in_folder(folder.path())
        .switch("--check")
        .fail();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("ok: 2 functions on "), "{stdout}");

    let host = TestHost::serve_functions(folder.join("functions.toml")).start();
    assert_eq!(host.send(&client::encrypt("abc")).result(), "fgh");
}

#[test]
fn the_example_middleware_is_valid() {
    let document = document();
    let (_, section) = document.split_once("\n## Middleware\n").expect("a section");
    let (section, _) = section.split_once("\n## ").expect("its end");
    let folder = Folder::new();
    folder.put_component("app");
    for (name, part) in [("logger", "request-logger"), ("gate", "bearer-gate")] {
        let part = fs::read(experiment("parts", part)).expect("a component");
        folder.put(&format!("{name}.wasm"), part);
    }
    folder.put("token.txt", "secret");
    let examples = section.split("```toml\n").skip(1);
    let examples = examples.map(|rest| rest.split("```").next().expect("an end"));
    let examples: Vec<_> = examples.collect();
    assert_eq!(examples.len(), 2, "{examples:?}");
    for example in examples {
        folder.put("functions.toml", example);
        let finished = TestHost::serve_functions("functions.toml")
            .in_folder(folder.path())
            .switch("--check")
            .fail();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    }
}

#[test]
fn every_key_and_command_that_is_named_exists() {
    let keys = [
        "folder",
        "function",
        "adapter",
        "name",
        "component",
        "middleware",
        "smoke",
        "route",
    ];
    let document = document();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    for row in rows {
        let cell = row.split('`').next().expect("a name");
        let name = cell.trim_matches(['[', ']']);
        if keys.contains(&name) || name.starts_with("audit-") {
            continue;
        }
        let command = name.split(' ').next().expect("a word");
        let output = Command::new(program("component-runner"))
            .args([command, "--help"])
            .output();
        let output = output.expect("it can be started");
        assert!(output.status.success(), "{cell}: {output:?}");
    }
}
