//! Operator commands while the audit log fails: nothing changes.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::client::Request;
use end_to_end::functions::locator;
use end_to_end::operators::Operators;
use end_to_end::{TestHost, wait};

use super::admin::{Place, ask, deploy};
use super::deploys::wait_for;
use crate::functions::routes::get;

/// All files below a folder, with their contents.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).expect("a file");
            found.insert(path, bytes);
        }
    }
    found
}

/// A server whose audit log is longer than any file of its state, so that a file size limit affects
/// the audit log only.
fn serve(place: &Place) -> (TestHost, Operators) {
    let audit = format!("jsonl:{}", place.folder.join("audit.jsonl").display());
    let host = place.setup().flag("--audit", audit).start();
    let operators = Operators::of(&host);
    let _ = deploy(&operators, "where", "first-1");
    let _ = deploy(&operators, "where", "second2");
    let _ = deploy(&operators, "quiet", "quiet-1");
    while audit_bytes(place) < 64 << 10 {
        for act in ["pause", "resume"] {
            let path = format!("/v1/functions/quiet/{act}");
            assert_eq!(ask(&operators, "POST", &path, b"").status, 200);
        }
    }
    let paused = ask(&operators, "POST", "/v1/functions/quiet/pause", b"");
    assert_eq!(paused.status, 200, "{paused:?}");
    (host, operators)
}

fn audit_bytes(place: &Place) -> u64 {
    let audit = fs::metadata(place.folder.join("audit.jsonl"));
    audit.expect("a file").len()
}

/// Makes appends to the audit log fail.
fn refuse_records(place: &Place, host: &TestHost) {
    host.limit_files(Some(60 << 10));
    let state = files(&place.folder.join("state"));
    assert!(state.values().all(|bytes| bytes.len() < 60 << 10));
}

#[test]
fn operator_commands_are_rejected_while_the_audit_log_fails() {
    let place = Place::new();
    let (host, operators) = serve(&place);
    let first = locator("first-1");
    let shown = ask(&operators, "GET", "/v1/functions/where", b"").json();
    let version = shown["versions"][0]["version"].as_str().expect("a version");
    let activate = format!("/v1/functions/where/versions/{version}/activate");
    let orders = [
        ("POST", "/v1/functions/where/rollback", &b""[..]),
        ("POST", &activate, b""),
        ("PUT", "/v1/functions/where", &first),
        ("PUT", "/v1/functions/new", &first),
        ("POST", "/v1/functions/where/pause", b""),
        ("POST", "/v1/functions/quiet/resume", b""),
        ("DELETE", "/v1/functions/where", b""),
    ];
    let state = || {
        let list = ask(&operators, "GET", "/v1/functions", b"").json();
        let mut files = files(&place.folder.join("state/functions"));
        // It has no record.
        files.retain(|path, _| !path.starts_with(place.folder.join("state/functions/new")));
        let quiet = host.send(&Request::new("GET", "/quiet")).status;
        let new = host.send(&Request::new("GET", "/new")).status;
        (list, files, get(&host, "/where"), quiet, new)
    };
    let before = state();
    assert_eq!((before.3, before.4), (503, 404));
    refuse_records(&place, &host);
    for (method, path, body) in orders {
        let response = ask(&operators, method, path, body);
        assert_eq!(response.status, 503, "{method} {path}: {response:?}");
        let detail = response.json()["detail"].to_string();
        assert!(
            detail.contains("the audit log cannot be written"),
            "{method} {path}: {detail}"
        );
        assert_eq!(state(), before, "{method} {path}");
    }
    host.limit_files(None);
    for (method, path, body) in orders {
        // The audit log takes a while to recover, and a command without a record has no effect.
        wait::until(format_args!("200 for {method} {path}"), || {
            let response = ask(&operators, method, path, body);
            match response.status {
                200 => Ok(()),
                _ => Err(format!("{response:?}")),
            }
        });
    }
}

#[test]
fn changed_files_are_ignored_while_the_audit_log_fails() {
    let place = Place::new();
    let (host, _operators) = serve(&place);
    place.folder.put_locator("functions/filed.wasm", "filed-1");
    place.folder.put_locator("functions/other.wasm", "other-1");
    wait_for(&host, "/filed", Some("filed-1 / /filed filed-1"));
    wait_for(&host, "/other", Some("other-1 / /other other-1"));
    refuse_records(&place, &host);
    fs::remove_file(place.folder.join("functions/filed.wasm")).expect("a file");
    place.folder.put_locator("functions/other.wasm", "first-1");
    let _ = host.log().wait_for_entry(&[
        "previous functions stay active",
        "audit log cannot be written",
    ]);
    assert_eq!(get(&host, "/filed"), "filed-1 / /filed filed-1");
    assert_eq!(get(&host, "/other"), "other-1 / /other other-1");
    host.limit_files(None);
    wait_for(&host, "/filed", None);
    wait_for(&host, "/other", Some("first-1 / /other first-1"));
}
