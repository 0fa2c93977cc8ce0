//! Work of a guest after the end of its response.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use end_to_end::client::{Request, Response, get};
use end_to_end::process::Signal;
use end_to_end::{Setup, TestHost, wait};

use super::{guest, wait_until_idle};

#[track_caller]
fn check_good(response: &Response) {
    assert_eq!((response.status, &*response.text()), (200, "good"));
}

/// Checks the log, the metric and the audit record of a guest at `path` that does not end after its
/// response.
#[track_caller]
fn check_post_return_timeout(setup: Setup, name: &str, path: &str) {
    let (host, operators) = setup
        .flag("--post-return-timeout", "1")
        .flag("--request-timeout", "600")
        .flag("--response-idle-timeout", "600")
        .start_with_operators();
    let start = Instant::now();
    let response = host.send(&get(path));
    check_good(&response);
    assert!(start.elapsed() < Duration::from_secs(1), "it waits");

    let id = response.header("x-request-id").expect("an id");
    let cause = "guest did not end within 1 s after its response";
    let _ = host.log().wait_for_entry(&[id, cause]);
    let failures = format!("guest_failures_total{{function=\"{name}\",kind=\"timeout\"}}");
    operators.wait_for(&[(&failures, 1.0)]);
    wait_until_idle(&operators);
    assert!(start.elapsed() >= Duration::from_secs(1));

    // It is recorded after it is counted.
    let timeouts = || {
        let mut records = host.audit_records();
        records.retain(|record| record.event() == Some("guest-timeout"));
        records
    };
    wait::until("an audit record of the timeout", || {
        match timeouts().len() {
            1 => Ok(()),
            count => Err(format!("{count} records")),
        }
    });
    let timeout = &timeouts()[0].json;
    assert_eq!(timeout["event"]["limit_ms"], 1000);
    assert_eq!(timeout["host"]["request"]["id"], id);
}

#[test]
fn post_return_timeout_ends_the_work_after_a_response() {
    let setup = TestHost::serve_guest("hostile");
    check_post_return_timeout(setup, "guest", "/sleep-after-body");
    for path in ["/hold-after-body", "/hold-after-chunks"] {
        check_post_return_timeout(guest(), "hostile_03_guest", path);
    }
}

#[test]
fn post_return_timeout_holds_from_the_end_of_the_response() {
    let (host, operators) = guest()
        .flag("--post-return-timeout", "0.2")
        .start_with_operators();
    // It takes twice as long to write its body.
    check_good(&host.send(&get("/write-slowly")));
    wait_until_idle(&operators);
    let failures = "guest_failures_total{function=\"hostile_03_guest\",kind=\"timeout\"}";
    assert_eq!(operators.metrics().get(failures), Some(0.0));
}

#[test]
fn post_return_timeout_off_lets_a_guest_work_on() {
    let (host, operators) = guest()
        .flag("--post-return-timeout", "off")
        .start_with_operators();
    check_good(&host.send(&get("/hold-after-body")));
    // Longer than the default.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(6) {
        check_good(&host.send(&get("/good")));
    }
    let instances = "instances{function=\"hostile_03_guest\"}";
    operators.wait_for(&[(instances, 1.0)]);
}

#[test]
fn cpu_timeout_holds_after_a_response() {
    let (host, operators) = guest()
        .flag("--cpu-timeout", "0.2")
        .flag("--post-return-timeout", "600")
        .start_with_operators();
    let response = host.send(&get("/spin-after-body"));
    check_good(&response);
    let id = response.header("x-request-id").expect("an id");
    let cause = "guest computed for more than 0.2 s";
    let _ = host.log().wait_for_entry(&[id, "after responding", cause]);
    wait_until_idle(&operators);
}

#[test]
fn a_trap_after_the_response_is_logged_and_counted() {
    let (host, operators) = guest().start_with_operators();
    let response = host.send(&get("/trap-after-body"));
    check_good(&response);
    let id = response.header("x-request-id").expect("an id");
    let _ = host
        .log()
        .wait_for_entry(&[id, "after responding", "unreachable"]);
    let failures = "guest_failures_total{function=\"hostile_03_guest\",kind=\"trap\"}";
    operators.wait_for(&[(failures, 1.0)]);
    wait_until_idle(&operators);
}

/// Its audit entry comes 0.1 s after the response.
#[test]
fn work_after_the_response_is_audited_under_its_request() {
    let mut host = guest().start();
    let mut ids = BTreeSet::new();
    for _ in 0..3 {
        let response = host.send(&get("/work-after-body"));
        check_good(&response);
        ids.insert(response.header("x-request-id").expect("an id").to_owned());
    }
    // It waits for guests at work.
    assert_eq!(host.terminate().code(), Some(0));
    let entries = host.audit_entries();
    let found = entries.iter().map(|entry| {
        assert_eq!(entry.json["guest"]["action"], "after-body");
        let id = entry.json["host"]["request"]["id"].as_str();
        id.expect("an id").to_owned()
    });
    assert_eq!(found.collect::<BTreeSet<_>>(), ids);
    assert_eq!(entries.len(), ids.len());
}

#[test]
fn a_line_that_is_printed_after_the_response_is_logged_under_its_request() {
    let mut host = guest().start();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let response = host.send(&get("/print-after-response"));
        assert_eq!((response.status, &*response.body), (200, &b""[..]));
        ids.push(response.header("x-request-id").expect("an id").to_owned());
    }
    // It waits for guests at work.
    assert_eq!(host.terminate().code(), Some(0));
    let log = host.log().wait_for_end();
    for id in ids {
        let line = format!("{id} stdout: after the response\n");
        assert_eq!(log.matches(&line).count(), 1, "{log}");
    }
}

/// The connection drops a body that the client does not get, or has got.
#[test]
fn a_guest_learns_that_its_response_was_sent() {
    let mut host = guest().start();
    let with_body = [(200, "good"), (204, ""), (205, ""), (304, "")];
    for (status, body) in with_body {
        for path in ["/audit-sent", "/audit-sent-with-length"] {
            let path = format!("{path}?{status}");
            let response = host.send(&get(&path));
            assert_eq!(
                (response.status, &*response.text()),
                (status, body),
                "{path}"
            );
            let response = host.send(&Request::new("HEAD", &path));
            assert_eq!(response.status, status, "HEAD {path}");
        }
    }
    // It waits for guests at work.
    assert_eq!(host.terminate().code(), Some(0));
    let entries = host.audit_entries();
    assert_eq!(entries.len(), 16);
    for entry in entries {
        let guest = &entry.json["guest"];
        assert_eq!(
            (&guest["action"], &guest["outcome"]),
            (&"sent".into(), &"success".into())
        );
    }
}

#[test]
fn sigterm_lets_a_response_and_the_work_after_it_finish() {
    let mut host = guest().start();
    let mut connections = [(); 2].map(|()| host.connect());
    connections[0].write(&get("/write-slowly").bytes());
    connections[1].write(&get("/work-after-body").bytes());
    check_good(&connections[1].receive());
    host.signal(Signal::TERM);
    check_good(&connections[0].receive());
    assert_eq!(host.wait().code(), Some(0));
    assert_eq!(host.audit_entries().len(), 1);
}
