//! Errors at start: one clear message, and an exit code.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use end_to_end::artifacts::{component, program};
use end_to_end::guests::Guest;
use end_to_end::process::{Finished, Process};
use end_to_end::{Setup, TestHost};

fn serve(component: impl AsRef<Path>) -> Setup {
    TestHost::serve(component).process_env("RUST_BACKTRACE", "1")
}

fn app() -> Setup {
    serve(component("app"))
}

fn fail(guest: &Guest) -> Finished {
    serve(guest.path()).fail()
}

/// Runs `component-runner` with these arguments.
fn run(words: &[&str]) -> Finished {
    let mut command = Command::new(program("component-runner"));
    Process::start(command.args(words)).finish()
}

/// Checks that the server ended with `code` and one error with all of `parts`.
fn check(finished: &Finished, code: i32, parts: &[&str]) {
    let Finished { stdout, stderr, .. } = finished;
    assert_eq!(finished.code, Some(code), "{stderr}");
    assert_eq!(stdout, "");
    let errors: Vec<_> = stderr
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    for part in parts {
        assert!(errors[0].contains(part), "`{part}` is not in:\n{stderr}");
    }
    for noise in ["panicked", "backtrace", "RUST_BACKTRACE", "Caused by"] {
        assert!(!stderr.contains(noise), "`{noise}` is in:\n{stderr}");
    }
}

/// Checks an error after a valid command line: the message is a single line, with only the log next
/// to it.
fn check_failed(finished: &Finished, parts: &[&str]) {
    check(finished, 1, parts);
    let is_log = |line: &str| line.starts_with("20") && line.contains(" INFO ");
    let beside = |line: &&str| !line.starts_with("error: ") && !is_log(line);
    let beside: Vec<_> = finished.stderr.lines().filter(beside).collect();
    assert!(beside.is_empty(), "{}", finished.stderr);
}

fn check_usage(finished: &Finished, parts: &[&str]) {
    check(finished, 64, parts);
}

#[test]
fn an_address_without_a_port_is_a_usage_error() {
    let finished = app().address("localhost").fail();
    check_usage(&finished, &["--addr", "'localhost'"]);
}

#[test]
fn a_port_that_does_not_exist_is_a_usage_error() {
    let finished = app().address("127.0.0.1:65536").fail();
    check_usage(&finished, &["--addr", "'127.0.0.1:65536'"]);
}

#[test]
fn a_variable_without_a_value_is_a_usage_error() {
    let finished = app().flag("--env", "SHIFT_AMOUNT").fail();
    check_usage(&finished, &["--env", "'SHIFT_AMOUNT'", "KEY=VALUE"]);
}

#[test]
fn a_variable_without_a_name_is_a_usage_error() {
    let finished = app().flag("--env", "=5").fail();
    check_usage(&finished, &["--env", "'=5'"]);
}

#[test]
fn an_invalid_timeout_is_a_usage_error() {
    let finished = app().flag("--request-timeout", "soon").fail();
    check_usage(&finished, &["--request-timeout", "'soon'", "seconds"]);
}

#[test]
fn threads_0_is_a_usage_error() {
    let finished = app().flag("--threads", "0").fail();
    check_usage(&finished, &["--threads", "'0'"]);
}

#[test]
fn reuse_0_is_a_usage_error() {
    let finished = app().flag("--reuse", "0").fail();
    check_usage(&finished, &["--reuse", "'0'"]);
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    let finished = app().flag("--no-such-flag", "x").fail();
    check_usage(&finished, &["--no-such-flag"]);
}

#[test]
fn a_missing_component_argument_is_a_usage_error() {
    let finished = run(&["serve"]);
    check(&finished, 64, &["required"]);
    assert!(finished.stderr.contains("APP.wasm"), "{}", finished.stderr);
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    let finished = run(&["sreve"]);
    check_usage(&finished, &["'sreve'"]);
}

#[test]
fn a_missing_component_file_is_named() {
    let finished = serve("no/such/app.wasm").fail();
    check_failed(&finished, &["`no/such/app.wasm`", "No such file"]);
}

#[test]
fn a_component_that_is_cut_short_is_not_valid() {
    let whole = fs::read(component("app")).expect("a component");
    let finished = fail(&Guest::of(&whole[..whole.len() / 2]));
    check_failed(&finished, &["guest.wasm`", "not a valid component"]);
}

#[test]
fn the_cipher_alone_has_no_handler() {
    let finished = serve(component("cipher")).fail();
    check_failed(
        &finished,
        &[
            "exports neither `wasi:http/incoming-handler@0.2` nor `wasi:http/handler@0.3`",
            "`runner:cipher/cipher@0.1.0`",
        ],
    );
}

#[test]
fn the_adapter_alone_lacks_the_cipher() {
    let finished = serve(component("http-adapter")).fail();
    check_failed(
        &finished,
        &[
            "imports",
            "`runner:cipher/cipher@0.1.0`",
            "component-compose link",
        ],
    );
}

#[test]
fn a_port_that_is_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let finished = app().address(&*address).fail();
    check_failed(&finished, &[&format!("`{address}`"), "in use"]);
}

#[test]
fn any_address_of_ipv6_and_one_of_ipv4_at_the_same_port_are_named_with_the_reason() {
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        free.local_addr().expect("an address").port()
    };
    let (any, loopback) = (format!("[::]:{port}"), format!("127.0.0.1:{port}"));
    for (first, second) in [(&any, &loopback), (&loopback, &any)] {
        let finished = app().address(first).and_address(second).fail();
        let reason = format!("`{any}` takes the connections of IPv4 as well");
        check_failed(&finished, &[&reason, &loopback, "in use"]);
    }
}

#[test]
fn a_folder_is_refused_as_an_audit_log() {
    let folder = tempfile::tempdir().expect("a folder");
    for kind in ["sqlite", "jsonl"] {
        let flag = format!("{kind}:{}", folder.path().display());
        let finished = app().flag("--audit", flag).fail();
        let name = folder.path().display().to_string();
        check_failed(&finished, &["audit log", &name, "directory"]);
    }
}

#[test]
fn an_audit_log_in_a_missing_folder_is_named() {
    for kind in ["sqlite", "jsonl"] {
        let finished = app()
            .flag("--audit", format!("{kind}:no/such/audit"))
            .fail();
        check_failed(&finished, &["no/such/audit`", "No such file"]);
    }
}

#[test]
fn a_file_that_is_not_an_audit_log_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let notes = folder.path().join("notes.txt");
    fs::write(&notes, "dear diary\n").expect("a file");
    for kind in ["sqlite", "jsonl"] {
        let flag = format!("{kind}:{}", notes.display());
        let finished = app().flag("--audit", flag).fail();
        check_failed(&finished, &["notes.txt`", "not an audit log"]);
        assert_eq!(fs::read_to_string(&notes).expect("a file"), "dear diary\n");
    }
}

#[test]
fn an_audit_log_of_another_server_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for kind in ["sqlite", "jsonl"] {
        let flag = format!("{kind}:{}", folder.path().join(kind).display());
        let _other = app().flag("--audit", &flag).start();
        let finished = app().flag("--audit", &flag).fail();
        check_failed(&finished, &["another process", &format!("{kind}`")]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_unwritable_audit_log_is_an_error_at_start() {
    let finished = app().flag("--audit", "jsonl:/dev/full").fail();
    check_failed(
        &finished,
        &["audit log", "/dev/full", "No space left on device"],
    );
}

#[test]
fn a_world_readable_audit_key_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("audit.db");
    let flag = format!("sqlite:{}", log.display());
    app().flag("--audit", &flag).start().terminate();
    let key = log.with_added_extension("key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("a file");
    let finished = app().flag("--audit", &flag).fail();
    check_failed(&finished, &["audit.db.key`", "644", "chmod 600"]);
}

#[test]
fn help_exits_with_0() {
    let finished = run(&["serve", "--help"]);
    assert_eq!(finished.code, Some(0));
    assert!(finished.stdout.contains("--addr"), "{}", finished.stdout);
    assert_eq!(finished.stderr, "");
}
