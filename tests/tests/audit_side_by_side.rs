//! Several servers of one user with the default audit log.

use std::path::Path;
use std::process::{Command, Output};

use audit_log::Location;
use end_to_end::audit::{Record, records};
use end_to_end::cases::check_result;
use end_to_end::client::encrypt;
use end_to_end::{Setup, app, artifacts};

const ONE: &str = "127.0.0.1:0";
const OTHER: &str = "127.0.0.2:0";

fn server(data: &Path, address: &str) -> Setup {
    app()
        .env("SHIFT_AMOUNT", "3")
        .process_env("XDG_DATA_HOME", &data.display().to_string())
        .address(address)
}

fn log(data: &Path, name: &str) -> Location {
    Location::Sqlite(data.join("component-runner").join(name))
}

/// The log of the server at [`OTHER`].
fn other_log(data: &Path) -> Location {
    log(data, "audit@127.0.0.2-0.db")
}

/// Number of entries of guests.
fn entries(log: &Location) -> usize {
    let is_entry = |record: &&Record| record.json.get("guest").is_some();
    records(log).iter().filter(is_entry).count()
}

fn audit(data: &Path, arguments: &[&str]) -> Output {
    Command::new(artifacts::program("component-runner"))
        .arg("audit")
        .args(arguments)
        .env("XDG_DATA_HOME", data)
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_server_with_a_locked_default_audit_log_uses_its_own_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let mut one = server(data, ONE).start();
    let mut other = server(data, OTHER).start();
    let own = other_log(data);
    let cause = "because another server writes";
    let _ = other.log().wait_for_entry(&[&own.to_string(), cause]);
    for host in [&one, &other, &other] {
        check_result(&host.send(&encrypt("a")), "d");
    }
    one.terminate();
    other.terminate();

    // The other server starts first now, and does not use the first log.
    let other = server(data, OTHER).start();
    let is_own = format!("the audit log is {own}");
    let _ = other.log().wait_for_entry(&[&is_own]);
    let one = server(data, ONE).start();
    let first = log(data, "audit.db");
    let _ = one
        .log()
        .wait_for_entry(&[&format!("the audit log is {first}")]);
    for host in [&one, &one, &other] {
        check_result(&host.send(&encrypt("a")), "d");
    }
    assert_eq!((entries(&first), entries(&own)), (3, 3));
}

#[test]
fn without_audit_the_commands_check_all_default_logs_or_ask_for_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let one = server(data, ONE).start();
    assert!(audit(data, &["tail"]).status.success());
    let mut other = server(data, OTHER).start();
    check_result(&one.send(&encrypt("a")), "d");
    check_result(&other.send(&encrypt("a")), "d");

    let (first, own) = (log(data, "audit.db"), other_log(data));
    for command in ["tail", "query", "export", "key"] {
        let output = audit(data, &[command]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        let error = text(&output.stderr);
        for log in [&first, &own] {
            assert!(error.contains(&format!("--audit {log}")), "{error}");
        }
    }
    let named = audit(data, &["tail", "--audit", &own.to_string()]);
    assert!(text(&named.stdout).contains("encrypt"), "{named:?}");

    let verified = audit(data, &["verify"]);
    assert!(verified.status.success(), "{verified:?}");
    let report = text(&verified.stdout);
    for log in [&first, &own] {
        assert!(report.contains(&log.to_string()), "{report}");
    }
    other.terminate();
    std::fs::write(own.path().expect("a file"), "no log").expect("written");
    let verified = audit(data, &["verify"]);
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
    assert!(text(&verified.stdout).contains(&first.to_string()));
}

#[test]
fn a_named_audit_log_that_is_locked_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let _one = server(data, ONE).start();
    let first = log(data, "audit.db");
    for (flag, value) in [
        ("--audit", first.to_string()),
        ("--audit-node", "node".to_owned()),
        ("--audit-key", data.join("key").display().to_string()),
    ] {
        let finished = server(data, OTHER).flag(flag, value).fail();
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        let cause = "another process writes to the audit log";
        assert!(finished.stderr.contains(cause), "{}", finished.stderr);
    }
    assert!(!other_log(data).path().expect("a file").exists());
}
