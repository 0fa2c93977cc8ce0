//! Files of functions, and their errors.

use std::fs;

use end_to_end::TestHost;
use end_to_end::client::encrypt;
use end_to_end::functions::Folder;
use end_to_end::process::Finished;

/// The result of `--check` on a file of functions.
fn check(folder: &Folder, text: &str) -> Finished {
    folder.put("functions.toml", text);
    TestHost::serve_functions("functions.toml")
        .in_folder(folder.path())
        .switch("--check")
        .fail()
}

#[test]
fn each_function_has_the_variables_that_the_file_gives_it() {
    let folder = Folder::new();
    folder.put_component("app");
    folder.put("amount.txt", "2\n");
    folder.put("app.env", "SHIFT_AMOUNT=1\n");
    folder.put(
        "functions.toml",
        r#"
        [[function]]
        name = "flag"
        component = "app.wasm"
        [function.env]
        SHIFT_AMOUNT = 3

        [[function]]
        name = "secret"
        component = "app.wasm"
        env-secret = { SHIFT_AMOUNT = "amount.txt" }

        [[function]]
        name = "file"
        component = "app.wasm"
        env-file = ["app.env"]

        [[function]]
        name = "lost"
        component = "app.wasm"
        env-file = ["nowhere.env"]
        "#,
    );
    let host = TestHost::serve_functions(folder.join("functions.toml")).start();
    for (name, result) in [("flag", "def"), ("secret", "cde"), ("file", "bcd")] {
        let response = host.send(&encrypt("abc").path(format!("/{name}/encrypt")));
        assert_eq!(
            response.text(),
            format!("{{\"result\":\"{result}\"}}"),
            "{name}"
        );
    }
    let _ = host
        .log()
        .wait_for_entry(&["function rejected", "lost", "nowhere.env"]);
}

#[test]
fn an_invalid_functions_file_is_reported_with_the_line() {
    let folder = Folder::new();
    folder.put_component("app");
    for (text, expected) in [
        (
            "foldr = \".\"\n",
            "functions.toml:1: `foldr`: unknown key; a file of functions has `folder`, \
             `[[function]]` and `[[adapter]]`",
        ),
        (
            "\n[[function]]\nname = \"a b\"\n",
            "functions.toml:3: `name = \"a b\"`: expected 1 to 64 letters",
        ),
        (
            "[[function]]\nname = \"a\"\n",
            "functions.toml:1: `name = \"a\"`: missing `component`",
        ),
        (
            "[[function]]\ncomponent = \"app.wasm\"\nroute = \"a b\"\n",
            "functions.toml:3: `route = \"a b\"`: ",
        ),
        (
            "[[function]]\ncomponent = \"app.wasm\"\nmax-memry = 5\n",
            "functions.toml:3: `max-memry = 5`: unknown key; did you mean `max-memory`?",
        ),
        (
            "[[function]]\ncomponent = \"app.wasm\"\nqueue-timeout = \"soon\"\n",
            "functions.toml:3: `queue-timeout = \"soon\"`: expected a number of seconds",
        ),
        (
            "[[function]]\ncomponent = \"app.wasm\"\nthreads = 5\n",
            "functions.toml:3: `threads = 5`: unknown key",
        ),
        (
            "[[function]]\ncomponent = \"app.wasm\"\n[[function]]\ncomponent = \"app.wasm\"\n",
            "functions.toml:3: `name = \"app\"`: duplicate name, also of the function in line 1",
        ),
        (
            "[[function]]\ncomponent = \"app.wasm\"\n\
             [[function]]\nname = \"b\"\nroute = \"/app/\"\ncomponent = \"app.wasm\"\n",
            "functions.toml:3: `route = \"/app\"`: duplicate route, also of `app`",
        ),
        (
            "[[adapter]]\nname = \"x\"\n",
            "functions.toml:2: `name`: unknown key; an adapter has a `component`",
        ),
        (
            "[[adapter]]\n",
            "functions.toml:1: `[[adapter]]`: missing `component`",
        ),
        (
            "function = 3\n",
            "functions.toml:1: `function`: expected tables, each as `[[function]]`",
        ),
        (
            "folder = 7\n",
            "functions.toml:1: `folder`: expected a path",
        ),
        ("folder = \n", "functions.toml:1: "),
    ] {
        let Finished { code, stderr, .. } = check(&folder, text);
        assert_eq!(code, Some(64), "{text}: {stderr}");
        assert!(stderr.contains(expected), "{text}: {stderr}");
    }
}

#[test]
fn errors_of_a_functions_file_show_no_secret() {
    let folder = Folder::new();
    let text = "[[function]]\ncomponent = \"app.wasm\"\nenv = [\"hunter2\"]\n";
    let Finished { code, stderr, .. } = check(&folder, text);
    assert_eq!(code, Some(64));
    assert!(stderr.contains("functions.toml:3"), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn check_validates_all_functions_and_writes_no_file() {
    let folder = Folder::new();
    folder.put_component("app");
    let text = "[[function]]\ncomponent = \"app.wasm\"\n";
    let Finished {
        code,
        stdout,
        stderr,
    } = check(&folder, text);
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert!(
        stdout.starts_with("ok: 1 functions on http://127.0.0.1:0"),
        "{stdout}"
    );

    folder.put("bad.wasm", "nothing");
    let text = "folder = \".\"\n[[function]]\nname = \"lost\"\ncomponent = \"lost.wasm\"\n";
    let Finished { code, stderr, .. } = check(&folder, text);
    assert_eq!(code, Some(1), "{stderr}");
    for part in ["function `lost`: cannot read", "function `bad`: "] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["app.wasm", "bad.wasm", "functions.toml"]);
}

#[test]
fn a_component_and_functions_are_not_served_together() {
    let folder = Folder::new();
    let finished = TestHost::serve("app.wasm")
        .flag("--functions", folder.path())
        .fail();
    assert_eq!(finished.code, Some(64), "{}", finished.stderr);
    let finished = TestHost::serve_functions(folder.path())
        .flag("--reuse", "2")
        .fail();
    assert_eq!(finished.code, Some(64), "{}", finished.stderr);
}
