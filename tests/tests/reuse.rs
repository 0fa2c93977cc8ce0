//! `--reuse`: instances that serve several requests, and their isolation even then.
//! `guests/counter.wat` answers with the number of requests of its instance.

mod places;

use std::thread;

use end_to_end::cases::check_result;
use end_to_end::client::{Request, chunk, encrypt, get};
use end_to_end::process::Signal;
use end_to_end::{Setup, TestHost, app, wait};
use serde_json::Value;

/// A counter whose instances serve this number of requests. It has one thread, because instances
/// stay on theirs.
fn counter(reuse: &str) -> TestHost {
    setup(reuse).start()
}

fn setup(reuse: &str) -> Setup {
    // Guests start before their bodies are received.
    TestHost::serve_guest("counter")
        .flag("--body-buffer", "0")
        .flag("--threads", "1")
        .flag("--reuse", reuse)
}

/// The number of this request in its instance.
fn count_at(host: &TestHost, path: &str) -> String {
    let response = host.send(&get(path));
    assert_eq!(response.status, 200, "{response:?}");
    String::from_utf8(response.body).expect("digits")
}

fn count(host: &TestHost) -> String {
    count_at(host, "/count")
}

/// A request whose guest waits for a body. It runs in an instance of its own when `100 Continue`
/// arrives.
fn waiting() -> Request {
    get("/read").chunked().header("expect", "100-continue")
}

#[test]
fn reuse_is_1_by_default() {
    let host = TestHost::serve_guest("counter")
        .flag("--threads", "1")
        .start();
    assert_eq!([(); 3].map(|()| count(&host)), ["1", "1", "1"]);
}

#[test]
fn reuse_1_is_the_default() {
    let host = counter("1");
    assert_eq!([(); 3].map(|()| count(&host)), ["1", "1", "1"]);
}

#[test]
fn with_reuse_3_the_fourth_request_gets_a_new_instance() {
    let host = counter("3");
    let counts = [(); 7].map(|()| count(&host));
    assert_eq!(counts, ["1", "2", "3", "1", "2", "3", "1"]);
}

#[test]
fn reuse_is_independent_of_connections() {
    let host = counter("3");
    let mut connection = host.connect();
    let counts = [(); 4].map(|()| connection.exchange(&get("/count")).body);
    assert_eq!(counts, [b"1", b"2", b"3", b"1"]);
}

#[test]
fn reuse_drops_an_instance_that_trapped() {
    let host = counter("9");
    assert_eq!(count(&host), "1");
    assert_eq!(host.send(&get("/trap")).status, 500);
    assert_eq!([(); 2].map(|()| count(&host)), ["1", "2"]);
}

#[test]
fn reuse_drops_an_instance_that_trapped_after_its_answer() {
    let host = counter("9");
    assert_eq!(count(&host), "1");
    let mut connection = host.connect();
    connection.write(&get("/late-trap").bytes());
    // The answer depends on what was sent before the trap.
    let _ = connection.receive_if_any();
    assert_eq!([(); 2].map(|()| count(&host)), ["1", "2"]);
}

#[test]
fn reuse_drops_an_instance_that_timed_out() {
    let host = setup("9").flag("--request-timeout", "2").start();
    assert_eq!(count(&host), "1");
    let mut connection = host.connect();
    connection.write(&get("/read").chunked().head());
    assert_eq!(connection.receive().status, 504);
    assert_eq!([(); 2].map(|()| count(&host)), ["1", "2"]);
}

#[test]
fn reuse_drops_an_instance_whose_client_disconnected() {
    let host = counter("9");
    assert_eq!(count(&host), "1");
    let mut connection = host.connect();
    connection.write(&get("/endless").bytes());
    assert_eq!(count(&host), "1", "a second one, as the first is at work");
    drop(connection);
    assert_eq!([(); 3].map(|()| count(&host)), ["2", "3", "4"]);
}

#[test]
fn reuse_drops_an_instance_that_keeps_its_request_or_response() {
    let host = counter("9");
    for path in ["/hold", "/open", "/silent"] {
        let _ = host.send(&get(path));
        assert_eq!(count(&host), "1", "after {path}");
    }
}

#[test]
fn reuse_that_a_guest_prevents_is_logged_once_and_counted() {
    let (mut host, operators) = setup("9").start_with_operators();
    assert_eq!(count(&host), "1");
    for _ in 0..3 {
        let _ = host.send(&get("/hold"));
    }
    operators.wait_for(&[("instances_not_reused_total{function=\"guest\"}", 3.0)]);
    host.terminate();
    let log = host.log().wait_for_end();
    assert_eq!(log.matches("are not reused").count(), 1, "{log}");
}

#[test]
fn reuse_never_shares_an_instance_at_the_same_time() {
    let host = counter("9");
    assert_eq!(count(&host), "1");
    let mut clients = [(); 2].map(|()| host.connect());
    for client in &mut clients {
        client.write(&waiting().head());
        assert_eq!(client.receive().status, 100);
    }
    assert_eq!(count(&host), "1", "a third one, as both are at work");
    for (client, count) in clients.iter_mut().zip(["2", "1"]) {
        client.write(&chunk(b""));
        assert_eq!(client.receive().body, count.as_bytes());
    }
}

#[test]
fn reuse_counts_are_unique_under_many_clients() {
    const COUNTS: [&[u8]; 4] = [b"1", b"2", b"3", b"4"];

    let host = TestHost::serve_guest("counter")
        .flag("--reuse", "4")
        .start();
    let counts: Vec<Vec<u8>> = thread::scope(|scope| {
        let client = || {
            let mut connection = host.connect();
            [(); 50].map(|()| connection.exchange(&get("/count")).body)
        };
        let clients = [(); 16].map(|()| scope.spawn(client));
        let counts = clients.map(|client| client.join().expect("answers"));
        counts.into_iter().flatten().collect()
    });
    let times = COUNTS.map(|digit| counts.iter().filter(|count| *count == digit).count());
    assert_eq!(times.iter().sum::<usize>(), counts.len(), "{times:?}");
    // Counts of an instance are in order.
    assert!(
        times.is_sorted_by(|before, after| before >= after),
        "{times:?}"
    );
    assert!(times[COUNTS.len() - 1] > 0, "{times:?}");
}

/// The id and the rest of each line that guests printed.
fn printed(log: &str) -> Vec<(&str, &str)> {
    log.lines()
        .filter_map(|line| line.split_once(" stdout: "))
        .collect()
}

#[test]
fn each_line_carries_the_id_of_the_request_that_printed_it() {
    let mut host = counter("3");
    let counts = [(); 4].map(|()| count_at(&host, "/print"));
    assert_eq!(counts, ["1", "2", "3", "1"]);
    host.terminate();
    let log = host.log().wait_for_end();

    // The output handle is that of the first request, and an incomplete line ends with its request.
    let lines = printed(&log);
    let mut ids = Vec::new();
    for number in ["1", "2", "3"] {
        let id_of = |text: &str| {
            let text = format!("{text} {number}");
            let mut lines = lines.iter().filter(|(_, line)| *line == text);
            lines
                .next()
                .unwrap_or_else(|| panic!("`{text}` in {log}"))
                .0
        };
        assert_eq!(id_of("whole"), id_of("broken off"), "{log}");
        ids.push(id_of("whole"));
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "{log}");
    assert_eq!(lines.len(), 8, "{log}");
}

#[test]
fn each_audit_record_carries_the_id_of_its_own_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let host = app()
        .flag("--threads", "1")
        .flag("--reuse", "100")
        .flag("--audit", format!("jsonl:{}", file.display()))
        .start();
    for _ in 0..5 {
        check_result(&host.send(&encrypt("hello")), "khoor");
    }
    let text = wait::whole_lines(&file);
    let id = |line| {
        let entry: Value = serde_json::from_str(line).expect("a line of JSON");
        let id = entry["host"]["request"]["id"].as_str();
        id.expect("an id").to_owned()
    };
    let guests = text.lines().filter(|line| line.contains("\"guest\":"));
    let mut ids: Vec<_> = guests.map(id).collect();
    assert_eq!(ids.len(), 5, "{text}");
    ids.dedup();
    assert_eq!(ids.len(), 5, "{text}");
}

#[test]
fn reuse_is_not_blocked_by_an_instance_that_keeps_its_request() {
    let host = counter("9");
    let mut connection = host.connect();
    // More than the server reads ahead.
    let request = Request::new("POST", "/hold").body(vec![0; 1 << 20]);
    for _ in 0..3 {
        assert_eq!(connection.exchange(&request).body, b"1");
    }
}

#[test]
fn a_response_that_its_guest_left_open_ends_with_the_request() {
    let host = counter("9");
    let mut connection = host.connect();
    for _ in 0..3 {
        assert_eq!(connection.exchange(&get("/open")).body, b"1");
    }
}

#[test]
fn reuse_idle_instances_do_not_delay_the_shutdown() {
    let mut host = setup("9").flag("--grace-period", "600").start();
    assert_eq!(count_at(&host, "/print"), "1");
    host.signal(Signal::TERM);
    assert_eq!(host.wait().code(), Some(0));
}
