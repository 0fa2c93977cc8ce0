//! `--reuse` of instances of WASI 0.3.

use end_to_end::cases::check_problem;
use end_to_end::client::{Request, chunk, get};
use end_to_end::{Setup, TestHost};

use super::guest;

fn setup(reuse: &str) -> Setup {
    // Instances stay on their thread, and guests start before their bodies are received.
    guest()
        .flag("--threads", "1")
        .flag("--body-buffer", "0")
        .flag("--reuse", reuse)
        // A slow disk would change the answers.
        .flag("--audit", "none")
}

/// The number of this request in its instance.
fn count_at(host: &TestHost, path: &str) -> String {
    let response = host.send(&get(path));
    assert_eq!(response.status, 200, "{response:?}");
    response.text()
}

fn count(host: &TestHost) -> String {
    count_at(host, "/count")
}

#[test]
fn reuse_is_1_by_default_for_wasi_0_3() {
    let host = guest().flag("--threads", "1").start();
    assert_eq!([(); 3].map(|()| count(&host)), ["1", "1", "1"]);
}

#[test]
fn reuse_keeps_the_state_of_an_instance_of_wasi_0_3() {
    let host = setup("3").start();
    let counts = [(); 7].map(|()| count_at(&host, "/count-and-yield"));
    assert_eq!(counts, ["1", "2", "3", "1", "2", "3", "1"]);
}

#[test]
fn reuse_drops_an_instance_of_wasi_0_3_that_failed() {
    let host = setup("9")
        .flag("--request-timeout", "1")
        .flag("--cpu-timeout", "0.2")
        .flag("--post-return-timeout", "0.2")
        .start();
    for path in ["/trap", "/trap-at-end", "/never", "/spin"] {
        assert_eq!(count(&host), "1", "before {path}");
        assert!(host.send(&get(path)).status >= 500, "{path}");
    }
    for (path, cause) in [
        ("/hold-after-body", "did not end within 0.2 s"),
        ("/trap-after-body", "unreachable"),
    ] {
        assert_eq!(count(&host), "1", "before {path}");
        let response = host.send(&get(path));
        assert_eq!(response.body, b"good");
        let id = response.header("x-request-id").expect("an id");
        let _ = host.log().wait_for_entry(&[id, cause]);
    }
    assert_eq!([(); 2].map(|()| count(&host)), ["1", "2"]);
}

/// A stream may be the body of the request.
#[test]
fn reuse_drops_an_instance_of_wasi_0_3_that_leaves_a_stream_open() {
    let (host, operators) = setup("9").start_with_operators();
    assert_eq!(count(&host), "1");
    assert_eq!(count_at(&host, "/count-and-leave-stream"), "2");
    assert_eq!([(); 2].map(|()| count(&host)), ["1", "2"]);
    for path in ["/leave-request", "/keep-reading", "/leave-futures"] {
        assert_eq!(host.send(&get(path)).body, b"good");
        assert_eq!(count(&host), "1", "after {path}");
    }
    let not_reused = "instances_not_reused_total{function=\"hostile_03_guest\"}";
    operators.wait_for(&[(not_reused, 4.0)]);
}

/// The server cannot see that a guest refuses further requests. Its instance is lost with the next
/// one.
#[test]
fn reuse_drops_an_instance_of_wasi_0_3_whose_backpressure_blocks_the_next_request() {
    let host = setup("9").flag("--request-timeout", "1").start();
    for _ in 0..2 {
        assert_eq!(host.send(&get("/backpressure")).body, b"good");
        let response = host.send(&get("/count"));
        check_problem(&response, 504, &["in time"]);
        assert_eq!([(); 2].map(|()| count(&host)), ["1", "2"]);
        // A new instance.
        assert_eq!(host.send(&get("/trap")).status, 500);
    }
}

#[test]
fn reuse_never_shares_an_instance_of_wasi_0_3_at_the_same_time() {
    let host = setup("9").start();
    assert_eq!(count(&host), "1");
    let mut clients = [(); 2].map(|()| host.connect());
    for client in &mut clients {
        let waiting = Request::new("POST", "/length");
        let waiting = waiting.chunked().header("expect", "100-continue");
        client.write(&waiting.head());
        assert_eq!(client.receive().status, 100);
    }
    assert_eq!(count(&host), "1", "a third one, as both are at work");
    for client in &mut clients {
        client.write(&[chunk(b"abc"), chunk(b"")].concat());
        assert_eq!(client.receive().body, b"3");
    }
    // The last one first: it had one request before.
    assert_eq!([(); 2].map(|()| count(&host)), ["2", "3"]);
}

#[test]
fn each_line_of_wasi_0_3_carries_the_id_of_the_request_that_printed_it() {
    let mut host = setup("3").start();
    let mut ids = Vec::new();
    for number in ["1", "2", "3"] {
        let response = host.send(&get("/count-and-print"));
        assert_eq!(response.text(), number);
        ids.push(response.header("x-request-id").expect("an id").to_owned());
    }
    host.terminate();
    let log = host.log().wait_for_end();
    for (id, number) in ids.iter().zip(1..) {
        let line = format!("{id} stdout: count {number}\n");
        assert!(log.contains(&line), "no `{line}` in {log}");
    }
}
