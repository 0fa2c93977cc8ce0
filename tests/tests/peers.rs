//! The same component on another host gives the same answers.

use std::process::Command;

use end_to_end::artifacts::{component, program};
use end_to_end::cases::{Case, SHIFTED, SHIFTS, check_problem, check_result};
use end_to_end::client::{Request, Response, decrypt, encrypt};
use end_to_end::process::Process;
use end_to_end::{Peer, TestHost};
use tempfile::TempDir;

/// The parts of a response that come from the component, and must be equal on both hosts.
pub(crate) fn answer(response: &Response) -> [String; 5] {
    let header = |name| response.header(name).unwrap_or("none").to_owned();
    [
        response.status.to_string(),
        header("content-type"),
        header("content-length"),
        header("allow"),
        String::from_utf8_lossy(&response.body).into_owned(),
    ]
}

/// The closed composition imports only `wasi:http/proxy`, so it runs on the other host without a
/// flag.
fn check(case: &Case) {
    let host = TestHost::serve(component("app-closed")).start();
    let peer = Peer::serve(component("app-closed"), &[]);
    let ours = host.send(&case.request);
    let theirs = peer.send(&case.request);
    case.check(&ours);
    case.check(&theirs);
    assert_eq!(answer(&ours), answer(&theirs));
}

end_to_end::test_each_case!(check);

/// A composition that reads its environment and needs no `audit-log` of a host.
fn app_without_audit_log(folder: &TempDir) -> std::path::PathBuf {
    let app = folder.path().join("app.wasm");
    let finished = Process::start(
        Command::new(program("component-compose"))
            .arg("link")
            .arg(component("http-adapter"))
            .arg("--with")
            .arg(component("cipher"))
            .arg(component("audit-stderr"))
            .arg("-o")
            .arg(&app),
    )
    .finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    app
}

/// Sends a request to both hosts, and returns their answer if it is the same.
fn ask_both(shift: &str, request: &Request) -> Response {
    let folder = tempfile::tempdir().expect("a folder");
    let app = app_without_audit_log(&folder);
    let host = TestHost::serve(&app).env("SHIFT_AMOUNT", shift).start();
    let variable = format!("SHIFT_AMOUNT={shift}");
    let peer = Peer::serve(&app, &["-Scli", "--env", &variable]);
    let ours = host.send(request);
    let theirs = peer.send(request);
    assert_eq!(answer(&ours), answer(&theirs));
    ours
}

#[test]
fn the_shift_amount_is_the_key_on_both() {
    for (shift, encrypted) in SHIFTS {
        check_result(&ask_both(shift, &encrypt(SHIFTED)), encrypted);
        check_result(&ask_both(shift, &decrypt(encrypted)), SHIFTED);
    }
}

#[test]
fn an_invalid_shift_amount_is_named_on_both() {
    let response = ask_both("abc", &encrypt("hello"));
    check_problem(&response, 500, &["SHIFT_AMOUNT", "`abc`"]);
}

#[test]
fn a_message_of_1_mib_is_returned_unchanged_on_both() {
    let message = "a".repeat(1024 * 1024);
    check_result(&ask_both("3", &encrypt(&message)), &"d".repeat(1024 * 1024));
}

#[test]
fn a_message_that_is_too_large_is_refused_on_both() {
    let response = ask_both("3", &encrypt(&"a".repeat(1024 * 1024 + 1)));
    check_problem(&response, 413, &["1048576"]);
}
