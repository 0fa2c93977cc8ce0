//! Guests that trap, do not answer or do not stop. `guests/unruly.wat` has one of these at each
//! path, and answers at `/good`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use end_to_end::cases::check_problem;
use end_to_end::client::{Request, Response, get};
use end_to_end::{Setup, TestHost, wait};

fn unruly() -> TestHost {
    unruly_with(&[])
}

fn unruly_with(flags: &[(&str, &str)]) -> TestHost {
    let setup = TestHost::serve_guest("unruly");
    let add = |setup: Setup, (name, value): &(&str, &str)| setup.flag(name, value);
    flags.iter().fold(setup, add).start()
}

fn check_good(response: &Response) {
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.body, b"good");
}

/// Checks the answer of the server for its guest, the log entry with `cause` and the id of the
/// response, and that the server continues.
fn check_failure(host: &TestHost, path: &str, status: u16, cause: &str) {
    let response = host.send(&get(path));
    check_problem(&response, status, &["the guest"]);
    let id = response.json()["request_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(response.header("x-request-id"), Some(id.as_str()));
    let _ = host.log().wait_for_entry(&[&id, cause]);
    check_good(&host.send(&get("/good")));
}

#[test]
fn a_guest_that_traps_is_answered_with_500() {
    let host = unruly();
    check_failure(
        &host,
        "/trap",
        500,
        "wasm `unreachable` instruction executed",
    );
}

/// axum writes no body for HEAD, and its adapter traps at the end of the body.
#[test]
fn head_is_answered_before_a_later_trap_of_the_guest() {
    let host = unruly();
    let mut client = host.connect();
    for _ in 0..2 {
        let response = client.exchange(&Request::new("HEAD", "/premature"));
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.header("content-length"), Some("4"));
        assert!(response.body.is_empty(), "{response:?}");
        let id = response.header("x-request-id").expect("an id");
        let cause = "wasm `unreachable` instruction executed";
        let what = "guest failed after responding";
        let _ = host.log().wait_for_entry(&[id, what, cause]);
    }
    // Of any other method, the body belongs to the response.
    check_failure(&host, "/premature", 500, "unreachable");
    // Without a head there is no response.
    let response = client.exchange(&Request::new("HEAD", "/trap"));
    assert_eq!(response.status, 500, "{response:?}");
}

#[test]
fn a_guest_without_a_memory_is_served() {
    let host = TestHost::serve_guest("without-memory").start();
    for _ in 0..2 {
        check_problem(&host.send(&get("/")), 500, &["did not answer"]);
    }
}

#[test]
fn a_guest_without_a_response_is_answered_with_500() {
    let host = unruly();
    check_failure(&host, "/silent", 500, "without setting a response");
}

#[test]
fn a_guest_that_recurses_without_end_is_answered_with_500() {
    let host = unruly();
    check_failure(&host, "/recurse", 500, "call stack exhausted");
}

#[test]
fn request_timeout_answers_an_endless_loop_with_504() {
    let host = unruly_with(&[("--request-timeout", "0.2")]);
    check_failure(&host, "/loop", 504, "did not finish within");
}

/// Such as server-sent events.
#[test]
fn request_timeout_does_not_end_a_response_that_makes_progress() {
    for (request, idle) in [("3", "600"), ("off", "off")] {
        let host = TestHost::serve_guest("hostile")
            .flag("--request-timeout", request)
            .flag("--response-idle-timeout", idle)
            .start();
        // It takes 4 seconds.
        let response = host.send(&get("/write-slowly"));
        assert!(response.is_complete, "{response:?}");
        assert_eq!(response.body, b"good");
    }
}

#[test]
fn response_idle_timeout_ends_a_response_without_progress() {
    let host = TestHost::serve_guest("hostile")
        .flag("--request-timeout", "600")
        .flag("--response-idle-timeout", "1")
        .start();
    let mut client = host.connect();
    client.write(&get("/sleep-in-body").bytes());
    let response = client.receive();
    assert_eq!(response.status, 200);
    assert!(!response.is_complete, "{response:?}");
    let cause = "guest did not go on with its response within 1 s";
    let _ = host.log().wait_for_entry(&["while responding", cause]);
}

/// A client would wait for missing bytes, and read excess ones as the next response.
#[test]
fn a_body_that_differs_from_content_length_never_looks_complete() {
    let host = TestHost::serve_guest("hostile").start();
    for (path, cause) in [
        ("/leave-at-once", "given as 100 bytes, and it has 4"),
        ("/leave-too-much", "given as 4 bytes, and it has 14"),
        ("/length-of-nothing", "given as 100 bytes, and it has 0"),
    ] {
        check_failure(&host, path, 500, cause);
    }
    // Its head is already sent when its body ends.
    let mut client = host.connect();
    client.write(&get("/leave-body").bytes());
    let response = client.receive();
    assert!(!response.is_complete, "{response:?}");
    let log = host.log();
    let _ = log.wait_for_entry(&["while responding", "given as 100 bytes, and it has 4"]);
}

#[test]
fn the_cause_of_a_failure_is_not_in_the_response() {
    let host = unruly();
    let response = host.send(&get("/trap"));
    let text = String::from_utf8_lossy(&response.body).into_owned();
    assert!(
        !text.contains("unreachable") && !text.contains("wasm"),
        "{text}"
    );
}

/// Guests can print the errors of their calls, which must not reveal the server.
#[test]
fn rust_backtrace_adds_no_stack_of_the_server_to_the_failure_of_a_guest() {
    let host = TestHost::serve_guest("unruly")
        .process_env("RUST_BACKTRACE", "1")
        .start();
    check_good(&host.send(&get("/good")));
    #[cfg(target_os = "linux")]
    let before = host.anonymous_bytes();
    check_failure(&host, "/trap", 500, "wasm backtrace");
    let text = host.log().text();
    assert!(!text.to_lowercase().contains("stack backtrace"), "{text}");
    // The symbols of the server have more than 30 MiB.
    #[cfg(target_os = "linux")]
    {
        let more = host.anonymous_bytes().saturating_sub(before);
        assert!(more < 16 << 20, "{more} bytes more");
    }
}

#[test]
fn each_failure_has_its_own_request_id() {
    let host = unruly();
    let ids = ["/trap", "/trap"].map(|path| {
        let response = host.send(&get(path));
        response.header("x-request-id").map(ToOwned::to_owned)
    });
    assert!(ids[0].is_some() && ids[0] != ids[1], "{ids:?}");
}

#[test]
fn a_looping_guest_does_not_block_others_on_its_thread() {
    let host = unruly_with(&[("--threads", "1"), ("--request-timeout", "600")]);
    let mut looping = host.connect();
    looping.write(&get("/loop").bytes());
    for _ in 0..10 {
        check_good(&host.send(&get("/good")));
    }
}

#[test]
fn a_looping_guest_leaves_time_slices_for_others_on_its_thread() {
    // Processor time, which does not depend on the load of the machine.
    let host = unruly_with(&[
        ("--threads", "1"),
        ("--cpu-timeout", "2"),
        ("--request-timeout", "25"),
    ]);
    let has_ended = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        scope.spawn(|| {
            check_problem(&host.send(&get("/loop")), 504, &[]);
            has_ended.store(true, Ordering::Relaxed);
        });
        let mut answers = 0;
        while !has_ended.load(Ordering::Relaxed) {
            check_good(&host.send(&get("/good")));
            answers += 1;
        }
        answers
    });
    // With time slices of 5 ms, it would be hundreds.
    assert!(answers >= 20, "only {answers} answers in 2 s");
}

#[test]
fn a_client_that_disconnects_cancels_its_guest() {
    let mut host = unruly_with(&[
        ("--threads", "1"),
        ("--request-timeout", "600"),
        ("--grace-period", "600"),
    ]);
    let mut looping = host.connect();
    looping.write(&get("/loop").bytes());
    check_good(&host.send(&get("/good")));
    drop(looping);
    // It would wait for a running guest.
    assert_eq!(host.terminate().code(), Some(0));
}

/// Resident memory of the server.
#[cfg(target_os = "linux")]
fn resident_kib(host: &TestHost) -> u64 {
    host.memory_bytes("VmRSS") / 1024
}

/// Checks that the memory of the server falls below this limit. A guest may still be ending when
/// its client has the answer.
#[cfg(target_os = "linux")]
fn check_gets_below(host: &TestHost, limit_kib: u64) {
    wait::until(format_args!("less than {limit_kib} KiB"), || {
        let found = resident_kib(host);
        if found < limit_kib {
            return Ok(());
        }
        check_good(&host.send(&get("/good")));
        Err(format!("{found} KiB"))
    });
}

#[cfg(target_os = "linux")]
#[test]
fn memory_of_a_guest_that_grows_to_max_memory_is_returned() {
    let host = unruly();
    check_good(&host.send(&get("/hungry")));
    check_gets_below(&host, 256 * 1024);
}

#[cfg(target_os = "linux")]
#[test]
fn guests_that_reach_max_memory_affect_no_other_request() {
    let host = unruly_with(&[
        ("--max-memory", "64MiB"),
        // The other requests stay until the end.
        ("--max-requests-per-connection", "4000000000"),
    ]);
    check_good(&host.send(&get("/good")));
    let before_kib = resident_kib(&host);
    let has_ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let neighbour = || {
            let mut connection = host.connect();
            while !has_ended.load(Ordering::Relaxed) {
                check_good(&connection.exchange(&get("/good")));
            }
        };
        let neighbours = [(); 4].map(|()| scope.spawn(neighbour));
        // Two run at the same time.
        let hungry = || (0..8).for_each(|_| check_good(&host.send(&get("/hungry"))));
        let hungry = [(); 2].map(|()| scope.spawn(hungry));
        let results = hungry.map(thread::ScopedJoinHandle::join);
        has_ended.store(true, Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok), "a hungry one failed");
        drop(neighbours);
    });
    // 1 GiB was allocated and returned, except for the part that a slot keeps.
    check_gets_below(&host, before_kib + 32 * 1024);
}

#[test]
fn a_function_name_of_a_guest_forges_no_log_line() {
    let mut host = TestHost::serve_guest("forger").start();
    check_problem(&host.send(&get("/")), 500, &[]);
    host.terminate();
    let log = host.log().wait_for_end();
    assert!(log.contains(r#"{"host":{"sequence":1}"#), "{log}");
    let is_forged = |line: &str| line.starts_with('{');
    assert!(!log.lines().any(is_forged), "{log}");
}

#[test]
fn a_trap_affects_no_other_request() {
    let host = unruly();
    thread::scope(|scope| {
        for client in 0..17 {
            let host = &host;
            scope.spawn(move || {
                let mut connection = host.connect();
                for _ in 0..20 {
                    if client == 0 {
                        let response = connection.exchange(&get("/trap"));
                        check_problem(&response, 500, &[]);
                    } else {
                        check_good(&connection.exchange(&get("/good")));
                    }
                }
            });
        }
    });
}

#[test]
fn an_aborted_body_with_content_length_is_visibly_incomplete() {
    let host = unruly();
    let mut connection = host.connect();
    connection.write(&get("/missing-bytes").bytes());
    let response = connection.receive();
    assert_eq!(response.header("content-length"), Some("100"));
    assert!(!response.is_complete, "{response:?}");
}

#[test]
fn an_aborted_chunked_body_is_visibly_incomplete() {
    let host = unruly();
    let mut connection = host.connect();
    connection.write(&get("/unfinished").bytes());
    let response = connection.receive();
    assert_eq!(response.header("transfer-encoding"), Some("chunked"));
    assert!(!response.is_complete, "{response:?}");
}

#[test]
fn the_log_names_why_a_body_was_aborted() {
    let host = unruly();
    let mut connection = host.connect();
    connection.write(&get("/unfinished").bytes());
    let _ = connection.receive();
    let _ = host
        .log()
        .wait_for_entry(&["while responding", "request=", "unreachable"]);
    check_good(&host.send(&get("/good")));
}

#[test]
fn a_guest_that_traps_after_its_response_counts_as_failed() {
    let host = unruly();
    let mut connection = host.connect();
    connection.write(&get("/premature").bytes());
    let response = connection.receive();
    // The server may or may not have sent the head.
    let is_broken = response.status == 200 && !response.is_complete;
    assert!(response.status == 500 || is_broken, "{response:?}");
}
