//! `serve --check`: its findings, and that it has no other effect.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use end_to_end::client::encrypt;
use end_to_end::guests::Guest;
use end_to_end::process::Finished;
use end_to_end::{Setup, TestHost, artifacts};
use tempfile::TempDir;

use crate::audit::sha256;

fn check(component: impl AsRef<Path>) -> Setup {
    TestHost::serve(component).switch("--check")
}

fn app() -> Setup {
    check(artifacts::component("app"))
}

#[track_caller]
fn check_refused(setup: Setup, code: i32, parts: &[&str]) {
    let Finished {
        code: found,
        stdout,
        stderr,
    } = setup.fail();
    assert_eq!((found, &*stdout), (Some(code), ""), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "`{part}` is not in: {stderr}");
    }
}

/// All entries below a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let names = paths.flat_map(|path| {
        let below = if path.is_dir() { files(&path) } else { vec![] };
        [path.display().to_string()].into_iter().chain(below)
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn check_prints_one_line_for_a_valid_configuration() {
    let finished = app()
        .address("[::1]:8080")
        .and_address("unix:/run/x")
        .fail();
    let component = artifacts::component("app");
    let expected = format!(
        "ok: `{}` (sha256:{}, WASI 0.2) on http://[::1]:8080, unix:/run/x\n",
        component.display(),
        sha256(&component)
    );
    let Finished {
        code,
        stdout,
        stderr,
    } = finished;
    assert_eq!((code, stdout, &*stderr), (Some(0), expected, ""));
}

#[test]
fn check_writes_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let finished = app()
        .process_env("HOME", &path("home").display().to_string())
        .cache(path("cache"))
        .process_env("XDG_DATA_HOME", &path("data").display().to_string())
        .process_env("XDG_CONFIG_HOME", &path("config").display().to_string())
        .address(format!("unix:{}", path("socket").display()))
        .flag("--audit-checkpoints", path("checkpoints"))
        .fail();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn check_runs_next_to_a_running_server() {
    let folder = tempfile::tempdir().expect("a folder");
    for kind in ["sqlite", "jsonl"] {
        let audit = format!("{kind}:{}", folder.path().join(kind).display());
        let component = artifacts::component("app");
        let host = TestHost::serve(&component).flag("--audit", &audit).start();
        let _ = host.send(&encrypt("hello"));
        let address = host.address().to_string();
        let finished = app().address(address).flag("--audit", &audit).fail();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    }
}

#[test]
fn check_binds_no_address() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let finished = app().address(&*address).flag("--ops-addr", &address).fail();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}

#[test]
fn a_wrong_flag_is_a_usage_error() {
    check_refused(app().address("localhost"), 64, &["--addr"]);
    check_refused(
        app().flag("--max-memory", "much"),
        64,
        &["--max-memory", "bytes"],
    );
}

#[test]
fn check_refuses_a_component_that_cannot_be_served() {
    check_refused(check("no/such.wasm"), 1, &["`no/such.wasm`"]);
    let text = Guest::of("(component)");
    check_refused(check(text.path()), 1, &["text, not a component"]);
    let missing = Guest::assemble("missing-import");
    let parts = ["`example:missing/thing@1.0.0`", "component-compose link"];
    check_refused(check(missing.path()), 1, &parts);
    let setup = app().flag("--max-memory", "1");
    check_refused(setup, 1, &["--max-memory"]);
}

#[test]
fn check_refuses_an_audit_log_that_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let notes = folder.path().join("notes");
    fs::write(&notes, "dear diary\n".repeat(20)).expect("a file");
    let audit = |place: String| app().flag("--audit", place);
    for kind in ["sqlite", "jsonl"] {
        check_refused(
            audit(format!("{kind}:no/such/log")),
            1,
            &["`no/such/log`", "No such file"],
        );
        check_refused(
            audit(format!("{kind}:{}", notes.display())),
            1,
            &["not an audit log"],
        );
        let place = format!("{kind}:{}", folder.path().display());
        check_refused(audit(place), 1, &["directory"]);
    }
    let setup = audit("none".to_owned()).flag("--audit-forward", "otlp://localhost:4318");
    check_refused(setup, 1, &["cannot be forwarded"]);
}

#[test]
fn check_refuses_an_access_log_that_cannot_be_written() {
    let folder = TempDir::new().expect("a folder");
    for (path, why) in [
        (folder.path().join("no/such"), "No such file"),
        (folder.path().to_owned(), "directory"),
    ] {
        let setup = app().flag("--access-log", &path);
        check_refused(setup, 1, &["access log", &path.display().to_string(), why]);
    }
    let path = folder.path().join("access");
    let finished = app().flag("--access-log", &path).fail();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(!path.exists());
}

#[test]
fn check_reads_the_files_of_all_flags() {
    let folder = TempDir::new().expect("a folder");
    let empty = folder.path().join("empty");
    fs::write(&empty, "").expect("a file");
    check_refused(
        app().flag("--env-file", "no/such"),
        1,
        &["--env-file", "`no/such`"],
    );
    check_refused(
        app().flag("--env-secret", "A=no/such"),
        1,
        &["--env-secret", "`no/such`"],
    );
    let setup = app().flag("--tls-cert", &empty).flag("--tls-key", &empty);
    check_refused(setup, 1, &["no certificate", "empty`"]);
}
