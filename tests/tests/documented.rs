//! The examples of `docs/guide/configuration.md`.

use std::fs;
use std::path::Path;

use end_to_end::artifacts::{component, workspace};
use end_to_end::functions::write_secret;
use end_to_end::process::Finished;
use end_to_end::{Setup, TestHost};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

/// The code blocks of the document: language and text.
fn blocks() -> Vec<(String, String)> {
    let path = workspace().join("docs/guide/configuration.md");
    let document = fs::read_to_string(path).expect("a document");
    let parts: Vec<_> = document.split("```").skip(1).step_by(2).collect();
    let block = |part: &&str| {
        let (language, text) = part.split_once('\n').expect("a line with the language");
        (language.to_owned(), text.to_owned())
    };
    parts.iter().map(block).collect()
}

/// A folder with all files of the example, and this configuration.
fn folder(file: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let identity = generate_simple_self_signed(["localhost".to_owned()]);
    let CertifiedKey { cert, signing_key } = identity.expect("a certificate");
    fs::copy(component("app"), path("app.wasm")).expect("a component");
    for (name, text) in [
        ("server.toml", file),
        ("cert.pem", &cert.pem()),
        ("key.pem", &signing_key.serialize_pem()),
        ("app.env", "# nothing\n"),
        ("token.txt", "secret\n"),
    ] {
        write_secret(&path(name), text);
    }
    folder
}

fn check(folder: &Path) -> Setup {
    TestHost::serve_with_file()
        .in_folder(folder)
        .addresses_in_file(0)
        .flag("--config", "server.toml")
        .switch("--check")
}

#[test]
fn the_example_config_file_is_valid() {
    let (language, file) = &blocks()[0];
    assert_eq!(language, "toml");
    let folder = folder(file);
    let Finished {
        code,
        stdout,
        stderr,
    } = check(folder.path()).fail();
    assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
    assert!(stdout.starts_with("ok: `app.wasm` (sha256:"), "{stdout}");
    assert!(
        stdout.contains(" on https://127.0.0.1:8443, https://[::1]:8443, unix:"),
        "{stdout}"
    );
}

#[test]
fn documented_errors_are_those_that_are_printed() {
    let blocks = blocks();
    let mut checked = 0;
    for pair in blocks.windows(2) {
        let [(first, file), (second, expected)] = pair else {
            unreachable!("windows of two");
        };
        if (&**first, &**second) != ("toml", "text") {
            continue;
        }
        let folder = folder(file);
        let Finished {
            code,
            stdout,
            stderr,
        } = check(folder.path()).fail();
        assert_eq!(
            (code, &*stdout, &stderr),
            (Some(64), "", expected),
            "{file}"
        );
        checked += 1;
    }
    let shown = blocks
        .iter()
        .filter(|(language, _)| language == "text")
        .count();
    assert_eq!(checked, shown);
}
