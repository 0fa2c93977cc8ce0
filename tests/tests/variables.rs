//! Variables of a guest from files, and `wasi:config`.

use std::fs;

use end_to_end::cases::check_result;
use end_to_end::client::{Request, encrypt};
use end_to_end::guests::Guest;
use end_to_end::{TestHost, app};
use tempfile::TempDir;

/// A value that occurs in no log by chance.
const SECRET: &str = "hunter2";

fn folder(name: &str, text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(name), text).expect("a file");
    folder
}

#[test]
fn env_file_sets_variables() {
    let folder = folder("env", "# five letters\nSHIFT_AMOUNT=5\n");
    let host = app().flag("--env-file", folder.path().join("env")).start();
    check_result(&host.send(&encrypt("a")), "f");
}

#[test]
fn env_secret_is_the_content_of_a_file() {
    let folder = folder("secret", "5\n");
    let path = folder.path().join("secret");
    let flag = format!("SHIFT_AMOUNT={}", path.display());
    let host = app().flag("--env-secret", flag).start();
    check_result(&host.send(&encrypt("a")), "f");
}

#[test]
fn env_overrides_env_file_and_env_secret() {
    let folder = folder("env", "SHIFT_AMOUNT=5\n");
    fs::write(folder.path().join("secret"), "6").expect("a file");
    let secret = format!("SHIFT_AMOUNT={}", folder.path().join("secret").display());
    let file = folder.path().join("env");
    let app = || {
        app()
            .flag("--env-file", &file)
            .flag("--env-secret", &secret)
    };
    check_result(&app().start().send(&encrypt("a")), "g");
    let host = app().env("SHIFT_AMOUNT", "7").start();
    check_result(&host.send(&encrypt("a")), "h");
}

#[test]
fn an_invalid_line_of_env_file_is_named_but_not_shown() {
    let folder = folder("env", &format!("A=b\n{SECRET}\n"));
    let path = folder.path().join("env");
    let finished = app().flag("--env-file", &path).fail();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let expected = format!("{}:2: expected KEY=VALUE", path.display());
    assert!(finished.stderr.contains(&expected), "{}", finished.stderr);
    assert!(!finished.stderr.contains(SECRET), "{}", finished.stderr);
}

#[test]
fn a_missing_env_file_is_named_with_its_flag() {
    for (flag, value) in [("--env-file", "no/such"), ("--env-secret", "A=no/such")] {
        let finished = app().flag(flag, value).fail();
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        for part in ["`no/such`", flag, "No such file"] {
            assert!(
                finished.stderr.contains(part),
                "{part}: {}",
                finished.stderr
            );
        }
    }
}

#[test]
fn values_of_variables_are_in_no_log() {
    let folder = folder("env", &format!("A={SECRET}\n"));
    fs::write(folder.path().join("secret"), SECRET).expect("a file");
    let mut host = app()
        .process_env("RUST_LOG", "trace")
        .env("B", SECRET)
        .flag("--env-file", folder.path().join("env"))
        .flag(
            "--env-secret",
            format!("C={}", folder.path().join("secret").display()),
        )
        .flag("--config-var", format!("D={SECRET}"))
        .start();
    let _ = host.send(&encrypt("a"));
    host.terminate();
    let printed = host.output().wait_for_end() + &host.log().wait_for_end();
    assert!(printed.contains("serving"), "{printed}");
    assert!(!printed.contains(SECRET), "{printed}");
}

#[test]
fn config_var_is_in_wasi_config() {
    let host = TestHost::serve_guest("config")
        .flag("--config-var", "greeting=hello=world")
        .flag("--config-var", "empty=")
        // Variables of the environment are separate.
        .env("other", "value")
        .start();
    for (path, status, body) in [
        ("/greeting", 200, "hello=world"),
        ("/empty", 200, ""),
        ("/other", 404, ""),
    ] {
        let response = host.send(&Request::new("GET", path));
        assert_eq!(
            (response.status, &*response.body),
            (status, body.as_bytes()),
            "{path}"
        );
    }
}

#[test]
fn another_version_of_wasi_config_is_refused_with_the_supported_one() {
    let guest = Guest::assemble("config");
    let bytes = fs::read(guest.path()).expect("a component");
    // A name of the same length.
    let from = b"wasi:config/store@0.2.0-rc.1";
    let to = b"wasi:config/store@0.2.0-rc.7";
    let mut changed = bytes.clone();
    for start in 0..bytes.len() - from.len() {
        if bytes[start..].starts_with(from) {
            changed[start..start + to.len()].copy_from_slice(to);
        }
    }
    let finished = TestHost::serve(Guest::of(changed).path()).fail();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    for part in [
        "`wasi:config/store@0.2.0-rc.7` (this server provides version 0.2.0-rc.1)",
        "component-compose link",
    ] {
        assert!(
            finished.stderr.contains(part),
            "{part}: {}",
            finished.stderr
        );
    }
}
