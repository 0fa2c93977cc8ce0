//! Environment variables of the operator, and the responses where they are invalid.

use end_to_end::cases::{SHIFTED, SHIFTS, check_problem, check_result};
use end_to_end::client::{decrypt, encrypt};
use end_to_end::{TestHost, app};

fn app_with_shift(value: &str) -> TestHost {
    app().env("SHIFT_AMOUNT", value).start()
}

#[test]
fn the_shift_amount_is_the_key() {
    for (shift, encrypted) in SHIFTS {
        let host = app_with_shift(shift);
        check_result(&host.send(&encrypt(SHIFTED)), encrypted);
        check_result(&host.send(&decrypt(encrypted)), SHIFTED);
    }
}

#[test]
fn an_invalid_shift_amount_is_named_to_the_client() {
    for value in ["abc", "3.5", ""] {
        let host = app_with_shift(value);
        let response = host.send(&encrypt("hello"));
        check_problem(&response, 500, &["SHIFT_AMOUNT", &format!("`{value}`")]);
    }
}

#[test]
fn the_component_does_not_inherit_the_environment_of_the_server() {
    // Not the shift of the process, but the default.
    let host = app().process_env("SHIFT_AMOUNT", "abc").start();
    check_result(&host.send(&encrypt("a")), "d");
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_encrypted_while_the_audit_log_cannot_be_written() {
    for kind in ["sqlite", "jsonl"] {
        let folder = tempfile::tempdir().expect("a folder");
        let host = app()
            .flag(
                "--audit",
                format!("{kind}:{}", folder.path().join("audit").display()),
            )
            .start();
        check_result(&host.send(&encrypt("hello")), "khoor");
        host.allow_writes(false);
        let response = host.send(&encrypt("hello"));
        check_problem(&response, 503, &["audit log"]);
        assert!(!response.json().to_string().contains("khoor"));
        let _ = host
            .log()
            .wait_for_entry(&["ERROR", "audit log cannot be written"]);
        host.allow_writes(true);
        let _ = host
            .log()
            .wait_for_entry(&["audit log can be written again"]);
        check_result(&host.send(&encrypt("hello")), "khoor");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn audit_policy_best_effort_serves_without_a_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit");
    let mut host = app()
        .flag("--audit", format!("jsonl:{}", file.display()))
        .flag("--audit-policy", "best-effort")
        .start();
    check_result(&host.send(&encrypt("hello")), "khoor");
    host.allow_writes(false);
    for _ in 0..3 {
        check_result(&host.send(&encrypt("hello")), "khoor");
    }
    host.allow_writes(true);
    let _ = host
        .log()
        .wait_for_entry(&["audit log can be written again"]);
    host.terminate();
    let text = std::fs::read_to_string(file).expect("a log");
    assert_eq!(text.matches("\"guest\"").count(), 1, "{text}");
    let dropped = r#"{"type":"entries-dropped","count":3}"#;
    assert!(text.contains(dropped), "{text}");
}
