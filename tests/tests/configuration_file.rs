//! `--config FILE`.

use std::fs;

use end_to_end::cases::check_result;
use end_to_end::client::encrypt;
use end_to_end::process::Finished;
use end_to_end::{Setup, TestHost, artifacts};
use tempfile::TempDir;

/// A folder with `app.wasm` and `server.toml`.
fn folder(text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let app = folder.path().join("app.wasm");
    fs::copy(artifacts::component("app"), app).expect("a component");
    fs::write(folder.path().join("server.toml"), text).expect("a file");
    folder
}

fn serve(folder: &TempDir) -> Setup {
    TestHost::serve_with_file()
        .in_folder(folder.path())
        .flag("--config", "server.toml")
}

/// Starts a server with this invalid file.
fn fail(text: &str) -> Finished {
    serve(&folder(text)).addresses_in_file(0).fail()
}

#[test]
fn config_file_has_all_flags() {
    let folder = folder(
        "component = \"app.wasm\"\naddr = [\"127.0.0.1:0\", \"[::1]:0\"]\n[env]\nSHIFT_AMOUNT = 5\n",
    );
    let host = serve(&folder).addresses_in_file(2).start();
    assert!(host.urls()[1].starts_with("http://[::1]:"), "{host:?}");
    check_result(&host.send(&encrypt("a")), "f");
}

#[test]
fn config_file_is_overridden_by_the_command_line() {
    let text =
        "component = \"no/such.wasm\"\naddr = \"192.0.2.1:80\"\nenv = [\"SHIFT_AMOUNT=5\"]\n";
    let folder = folder(text);
    let host = serve(&folder)
        .env("SHIFT_AMOUNT", "6")
        .switch("app.wasm")
        .start();
    check_result(&host.send(&encrypt("a")), "g");
}

#[test]
fn a_mistake_is_a_usage_error_with_file_line_key_and_value() {
    for (text, expected) in [
        (
            "component = \"app.wasm\"\nrequest-timeout = \"soon\"\n",
            "error: server.toml:2: `request-timeout = \"soon\"`: expected a number of seconds, such \
             as 30 or 0.5, or `off`\n",
        ),
        (
            "component = \"app.wasm\"\n\nmax-memroy = \"1MiB\"\n",
            "error: server.toml:3: `max-memroy = \"1MiB\"`: unknown key; did you mean \
             `max-memory`?\n",
        ),
    ] {
        let Finished {
            code,
            stdout,
            stderr,
        } = fail(text);
        assert_eq!((code, &*stdout, &*stderr), (Some(64), "", expected));
    }
}

#[test]
fn a_password_in_a_file_is_not_shown() {
    let finished = fail("component = \"app.wasm\"\naudit-forward = \"nats://me:hunter2@host\"\n");
    assert_eq!(finished.code, Some(64), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("server.toml:2: `audit-forward"),
        "{}",
        finished.stderr
    );
    assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);
}

#[test]
fn a_password_on_the_command_line_is_not_shown() {
    let finished = serve(&folder("component = \"app.wasm\"\n"))
        .flag("--audit-forward", "nats://me:hunter2@host")
        .fail();
    assert_eq!(finished.code, Some(64), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("--audit-forward"),
        "{}",
        finished.stderr
    );
    assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);
}

#[test]
fn a_missing_component_is_a_usage_error() {
    let finished = fail("threads = 1\n");
    assert_eq!(finished.code, Some(64), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("component = \"APP.wasm\""),
        "{}",
        finished.stderr
    );
}

#[test]
fn a_missing_config_file_is_a_usage_error() {
    let finished = TestHost::serve_with_file()
        .flag("--config", "no/such.toml")
        .fail();
    assert_eq!(finished.code, Some(64), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("`no/such.toml`"),
        "{}",
        finished.stderr
    );
}
