//! Limits on clients: sizes, rates, connections and timeouts.

use end_to_end::cases::{check_problem, check_result};
use end_to_end::client::{Connection, chunk, encrypt, get, post};
use end_to_end::http2::{self, Client, Event, Frame};
use end_to_end::operators::Operators;
use end_to_end::{DEADLINE, TestHost, app, artifacts};

/// The head of a request whose body is never sent.
fn begin(connection: &mut Connection) {
    connection.write(&encrypt("a").head());
}

#[test]
fn header_read_timeout_answers_an_incomplete_head_with_408() {
    let host = app().flag("--header-read-timeout", "0.2").start();
    // The second one may also be the first byte of HTTP/2.
    for beginning in ["GET / HTTP/1.1\r\nhost: a\r\n", "P"] {
        let mut connection = host.connect();
        connection.write(beginning.as_bytes());
        check_problem(
            &connection.receive(),
            408,
            &["the request head was not complete in time"],
        );
        assert!(connection.is_closed_by_server());
    }
}

/// A clock cannot represent the end of such a timeout.
#[test]
fn a_timeout_of_centuries_is_refused_with_the_flag_and_the_limit() {
    for flag in [
        "--idle-timeout",
        "--request-timeout",
        "--grace-period",
        "--outbound-timeout",
    ] {
        let finished = app().flag(flag, "18000000000000000000").fail();
        assert_eq!(finished.code, Some(64), "{}", finished.stderr);
        for part in [flag, "at most 3155760000 seconds"] {
            assert!(finished.stderr.contains(part), "{}", finished.stderr);
        }
    }
    let host = app().flag("--idle-timeout", "3155760000").start();
    check_result(&host.send(&encrypt("a")), "d");
}

#[test]
fn idle_timeout_closes_a_connection_without_a_request() {
    let host = app().flag("--idle-timeout", "1").start();
    let mut silent = host.connect();
    assert_eq!(silent.receive_if_any(), None);
    let mut idle = host.connect();
    check_result(&idle.exchange(&encrypt("a")), "d");
    assert_eq!(idle.receive_if_any(), None);
}

#[test]
fn write_timeout_disconnects_a_stalled_reader() {
    let host = TestHost::serve_guest("hostile")
        .flag("--write-timeout", "0.2")
        .flag("--ops-addr", "127.0.0.1:0")
        .start();
    let mut connection = host.connect();
    connection.write(&get("/write-for-ever").bytes());
    let lost = r#"connection_errors_total{kind="write_timeout"}"#;
    Operators::of(&host).wait_for(&[(lost, 1.0)]);
}

#[test]
fn max_requests_per_connection_closes_the_connection() {
    let host = app().flag("--max-requests-per-connection", "2").start();
    let mut connection = host.connect();
    let first = connection.exchange(&encrypt("a"));
    assert_eq!(first.header("connection"), None);
    let second = connection.exchange(&encrypt("a"));
    assert_eq!(second.header("connection"), Some("close"));
    assert!(connection.is_closed_by_server());
}

#[test]
fn max_connections_answers_503_beyond_it_and_keeps_the_others() {
    let host = app().flag("--max-connections", "2").start();
    let mut open = [host.connect(), host.connect()];
    for connection in &mut open {
        check_result(&connection.exchange(&encrypt("a")), "d");
    }
    let response = host.connect().receive();
    assert_eq!(response.status, 503);
    assert_eq!(response.header("retry-after"), Some("1"));
    for connection in &mut open {
        check_result(&connection.exchange(&encrypt("a")), "d");
    }
}

#[test]
fn max_request_body_answers_413_to_an_announced_and_to_a_chunked_body() {
    let host = app().flag("--max-request-body", "10").start();
    let mut connection = host.connect();
    connection.write(&post("/encrypt", "x".repeat(11)).head());
    check_problem(&connection.receive(), 413, &["too large"]);
    let mut connection = host.connect();
    connection.write(&post("/encrypt", "").chunked().head());
    connection.write(&chunk(&[b'x'; 11]));
    check_problem(&connection.receive(), 413, &["too large"]);
}

#[test]
fn min_body_rate_answers_a_slow_body_with_408() {
    let host = app().start();
    let mut connection = host.connect();
    begin(&mut connection);
    check_problem(
        &connection.receive(),
        408,
        &["the request body is too slow"],
    );
}

#[test]
fn max_response_body_fails_the_guest() {
    let host = app().flag("--max-response-body", "10").start();
    check_problem(&host.send(&encrypt("a")), 500, &["too large"]);
}

#[test]
fn body_buffer_keeps_clients_of_incomplete_bodies_from_holding_an_instance() {
    let host = app()
        .flag("--max-concurrency", "1")
        .flag("--max-queue", "0")
        .flag("--threads", "1")
        .start();
    let mut slow: Vec<_> = (0..100).map(|_| host.connect()).collect();
    for connection in &mut slow {
        begin(connection);
        connection.write(b"{");
    }
    for _ in 0..10 {
        check_result(&host.send(&encrypt("a")), "d");
    }
}

#[test]
fn body_buffer_keeps_a_client_that_does_not_read_from_holding_an_instance() {
    let host = app()
        .flag("--max-concurrency", "1")
        .flag("--threads", "1")
        .start();
    let mut slow = host.connect();
    // The client reads nothing of each response.
    for _ in 0..100 {
        slow.write(&encrypt(&"a".repeat(8 << 10)).bytes());
    }
    for _ in 0..10 {
        check_result(&host.send(&encrypt("a")), "d");
    }
}

#[test]
fn max_queue_answers_503_with_retry_after_to_a_request_beyond_it() {
    let host = TestHost::serve_guest("unruly")
        .flag("--max-concurrency", "1")
        .flag("--max-queue", "0")
        .flag("--threads", "1")
        .flag("--ops-addr", "127.0.0.1:0")
        .start();
    let mut busy = host.connect();
    busy.write(&get("/loop").bytes());
    let running = r#"requests_in_flight{function="guest"}"#;
    Operators::of(&host).wait_for(&[(running, 1.0)]);
    let response = host.send(&get("/good"));
    check_problem(&response, 503, &["overloaded"]);
    assert_eq!(response.header("retry-after"), Some("1"));
}

#[test]
fn max_total_memory_refuses_requests_while_exceeded() {
    let host = app().flag("--max-total-memory", "1").start();
    let response = host.send(&encrypt("a"));
    check_problem(&response, 503, &["overloaded"]);
    assert_eq!(response.header("retry-after"), Some("1"));
}

#[test]
fn cpu_timeout_answers_a_guest_that_computes_with_504() {
    let host = TestHost::serve_guest("unruly")
        .flag("--cpu-timeout", "0.1")
        .flag("--request-timeout", "25")
        .start();
    check_problem(&host.send(&get("/loop")), 504, &["in time"]);
    let _ = host.log().wait_for_entry(&["computed for more than 0.1 s"]);
}

#[test]
fn max_output_drops_output_beyond_it() {
    let host = TestHost::serve(artifacts::component("app-closed"))
        .env("SHIFT_AMOUNT", "3")
        .flag("--max-output", "10")
        .start();
    check_result(&host.send(&encrypt("a")), "d");
    let _ = host
        .log()
        .wait_for_entry(&["output truncated after 10 bytes"]);
}

#[test]
fn x_request_id_of_a_client_is_returned() {
    let host = app().start();
    let named = host.send(&encrypt("a").header("x-request-id", "mine-1"));
    assert_eq!(named.header("x-request-id"), Some("mine-1"));
    let entry = &host.audit_entries()[0];
    assert_eq!(entry.json["host"]["request"]["id"], "mine-1");
    let own = "3f9a6c1e-000000000000002a";
    let taken = host.send(&encrypt("a").header("x-request-id", own));
    assert_ne!(taken.header("x-request-id"), Some(own));
    let unnamed = host.send(&encrypt("a").header("x-request-id", "a b"));
    assert_ne!(unnamed.header("x-request-id"), Some("a b"));
}

#[test]
fn server_header_is_sent_by_default() {
    let response = app().start().send(&encrypt("a"));
    assert_eq!(response.header("server"), Some("component-runner"));
    let response = app()
        .flag("--server-header", "off")
        .start()
        .send(&encrypt("a"));
    assert_eq!(response.header("server"), None);
}

/// An HTTP/2 connection with an answered request, so that both sides know each other's settings.
fn http2(host: &TestHost) -> Client {
    let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
    let first = http2::post(1, "/encrypt", r#"{"message": "a"}"#);
    client
        .send(&[http2::begin(), first].concat())
        .expect("it reads");
    let answer = client.event().expect("an answer");
    assert!(
        matches!(&answer, Event::Response(1, response) if response.status == 200),
        "{answer:?}"
    );
    client
}

/// The head of an HTTP/2 request whose body is never sent.
fn begin_stream(stream: u32) -> Vec<u8> {
    let fields = [("content-type", "application/json")];
    http2::head(stream, "POST", "/encrypt", &fields, 0)
}

/// The server sends PING before it closes such a connection, and this client does not answer.
#[test]
fn idle_timeout_closes_a_silent_http2_connection() {
    let host = app()
        .flag("--idle-timeout", "1")
        .flag("--write-timeout", "1")
        .flag("--ops-addr", "127.0.0.1:0")
        .start();
    let mut client = http2(&host);
    while client.event().expect("the end") != Event::Ended {}
    let lost = r#"connection_errors_total{kind="write_timeout"}"#;
    Operators::of(&host).wait_for(&[(lost, 1.0)]);
}

#[test]
fn http2_max_streams_refuses_a_stream_beyond_it() {
    let host = app().flag("--http2-max-streams", "2").start();
    let mut client = http2(&host);
    let streams = [3, 5, 7].map(begin_stream);
    client.send(&streams.concat()).expect("it reads");
    let event = client.event().expect("a refusal");
    assert_eq!(event, Event::Reset(7, "REFUSED_STREAM".to_owned()));
}

#[test]
fn http2_stream_window_resets_a_stream_beyond_it() {
    let host = app().flag("--http2-stream-window", "1KiB").start();
    let mut client = http2(&host);
    let data = Frame::new("DATA", 0, 3, [b'x'; 1025]).bytes();
    client
        .send(&[begin_stream(3), data].concat())
        .expect("it reads");
    let event = client.event().expect("an error");
    assert_eq!(event, Event::Reset(3, "FLOW_CONTROL_ERROR".to_owned()));
}

#[test]
fn http2_connection_window_ends_a_connection_beyond_it() {
    // The body of the one with the instance is read, and the first part of the others.
    let host = app()
        .flag("--http2-stream-window", "1MiB")
        .flag("--http2-connection-window", "64KiB")
        .flag("--body-buffer", "1KiB")
        .flag("--max-concurrency", "1")
        .flag("--threads", "1")
        .start();
    let mut client = http2(&host);
    let streams = [3, 5, 7, 9, 11].map(|stream| {
        let data = Frame::new("DATA", 0, stream, [b'x'; 16 << 10]).bytes();
        [begin_stream(stream), data.repeat(4)].concat()
    });
    // The server may close the connection before it has read all of this.
    let _ = client.send(&streams.concat());
    let event = client.event().expect("an error");
    assert_eq!(event, Event::GoAway("FLOW_CONTROL_ERROR".to_owned()));
}
