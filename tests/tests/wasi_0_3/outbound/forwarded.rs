//! Bodies of clients that a guest passes on unread, and that arrive after its response.

use std::thread;
use std::time::Duration;

use end_to_end::client::{Connection, Request, chunk, get};
use end_to_end::http2::{self, Client, END_STREAM, Event, Frame};
use end_to_end::operators::Operators;
use end_to_end::process::Signal;
use end_to_end::upstream::{Arrival, Upstream};
use end_to_end::{DEADLINE, Setup, TestHost, wait};

use super::{allowing, to};
use crate::wasi_0_3::wait_until_idle;

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Both ways to pass a body on: in a new request, and in the request of the client itself.
const WAYS: [&str; 2] = ["forward", "pass-on"];

/// The command line of a server that does not read bodies ahead. The timeout is in seconds.
fn setup(upstream: &Upstream, post_return_timeout: &str) -> Setup {
    allowing(upstream.authority())
        .flag("--body-buffer", "0")
        .flag("--min-body-rate", "0")
        .flag("--post-return-timeout", post_return_timeout)
}

fn serve(upstream: &Upstream, post_return_timeout: &str) -> (TestHost, Operators) {
    setup(upstream, post_return_timeout).start_with_operators()
}

/// Sends the first half of a body, and receives the response of the guest before the second half.
fn begin(host: &TestHost, upstream: &Upstream, way: &str) -> (Connection, Arrival) {
    let request = Request::new("POST", &to(way, upstream, "/")).chunked();
    let mut client = host.connect();
    client.write(&request.head());
    client.write(&chunk(b"first"));
    let mut arrival = upstream.receive();
    arrival.read_until(b"5\r\nfirst\r\n");
    arrival.write(ANSWER);
    assert_eq!(client.receive().body, b"ok", "{way}");
    (client, arrival)
}

/// The number of guests that did not end in time.
#[track_caller]
fn check_timeouts(operators: &Operators, expected: f64) {
    let failures = "guest_failures_total{function=\"hostile_03_guest\",kind=\"timeout\"}";
    operators.wait_for(&[(failures, expected)]);
}

/// No guest can truncate it: the server reads it from the client.
#[test]
fn a_forwarded_body_is_complete_after_the_response_of_its_guest() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream, "600");
    for way in WAYS {
        let (mut client, mut arrival) = begin(&host, &upstream, way);
        client.write(&[chunk(b"last"), chunk(b"")].concat());
        arrival.read_until(b"4\r\nlast\r\n0\r\n\r\n");
        wait_until_idle(&operators);
        // The connection of the client is still good for a request.
        let response = client.exchange(&get("/good"));
        assert_eq!(response.body, b"good", "{way}");
    }
    check_timeouts(&operators, 0.0);
}

#[test]
fn a_forwarded_body_with_content_length_is_complete_after_the_response_of_its_guest() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream, "600");
    let request =
        Request::new("POST", &to("pass-on", &upstream, "/")).header("content-length", "9");
    let mut client = host.connect();
    client.write(&[&request.head()[..], b"first"].concat());
    let mut arrival = upstream.receive();
    assert_eq!(arrival.field("content-length"), Some("9"));
    arrival.read_until(b"first");
    arrival.write(ANSWER);
    assert_eq!(client.receive().body, b"ok");
    client.write(b"last");
    assert_eq!(arrival.read_to_end(), b"last");
    wait_until_idle(&operators);
}

#[test]
fn a_forwarded_body_of_http2_is_complete_after_the_response_of_its_guest() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream, "600");
    for way in WAYS {
        let data = |flags: u8, text: &str| Frame::new("DATA", flags, 1, text).bytes();
        let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
        let path = to(way, &upstream, "/");
        let begin = [
            http2::begin(),
            http2::head(1, "POST", &path, &[], 0),
            data(0, "first"),
        ];
        client.send(&begin.concat()).expect("it reads");
        let mut arrival = upstream.receive();
        arrival.read_until(b"5\r\nfirst\r\n");
        arrival.write(ANSWER);
        let Event::Response(1, response) = client.event().expect("an answer") else {
            panic!("no response");
        };
        assert_eq!(response.text(), "ok", "{way}");
        client.send(&data(END_STREAM, "last")).expect("it reads");
        arrival.read_until(b"4\r\nlast\r\n0\r\n\r\n");
        wait_until_idle(&operators);
    }
}

#[test]
fn trailers_of_a_client_are_passed_on_where_its_head_names_them() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream, "600");
    let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
    let path = to("pass-on", &upstream, "/");
    let request = [
        http2::begin(),
        http2::head(1, "POST", &path, &[("trailer", "x-checksum")], 0),
        Frame::new("DATA", 0, 1, "hello").bytes(),
        http2::trailers(1, &[("x-checksum", "1234")]),
    ];
    client.send(&request.concat()).expect("it reads");
    let mut arrival = upstream.receive();
    arrival.read_until(b"5\r\nhello\r\n0\r\nx-checksum: 1234\r\n\r\n");
    arrival.write(ANSWER);
    let Event::Response(1, response) = client.event().expect("an answer") else {
        panic!("no response");
    };
    assert_eq!(response.text(), "ok");
    wait_until_idle(&operators);
}

/// The guest counts as at work until then.
#[test]
fn post_return_timeout_ends_a_forwarded_body() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream, "0.5");
    for (count, way) in (1..).zip(WAYS) {
        let (_client, mut arrival) = begin(&host, &upstream, way);
        // Without the last chunk.
        assert_eq!(arrival.read_to_end(), b"", "{way}");
        wait_until_idle(&operators);
        check_timeouts(&operators, f64::from(count));
    }
}

#[test]
fn a_client_that_leaves_ends_its_forwarded_body() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream, "600");
    for way in WAYS {
        let (client, mut arrival) = begin(&host, &upstream, way);
        drop(client);
        assert_eq!(arrival.read_to_end(), b"", "{way}");
        wait_until_idle(&operators);
    }
}

#[test]
fn sigterm_lets_a_forwarded_body_arrive() {
    let upstream = Upstream::start();
    let (mut host, _) = serve(&upstream, "600");
    let (mut client, mut arrival) = begin(&host, &upstream, "forward");
    host.signal(Signal::TERM);
    let _ = host.log().wait_for_entry(&["shutting down"]);
    // Longer than idle connections have then.
    thread::sleep(Duration::from_secs(1));
    client.write(&[chunk(b"last"), chunk(b"")].concat());
    arrival.read_until(b"4\r\nlast\r\n0\r\n\r\n");
    drop(arrival);
    assert_eq!(host.wait().code(), Some(0));
}

#[test]
fn idle_timeout_does_not_end_a_forwarded_body_that_arrives() {
    let upstream = Upstream::start();
    let host = setup(&upstream, "600").flag("--idle-timeout", "1").start();
    let (mut client, mut arrival) = begin(&host, &upstream, "forward");
    for _ in 0..5 {
        thread::sleep(Duration::from_millis(400));
        client.write(&chunk(b"more"));
        arrival.read_until(b"4\r\nmore\r\n");
    }
    client.write(&chunk(b""));
    arrival.read_until(b"0\r\n\r\n");
}

/// A server that has answered and reads no more does not keep the connection of a guest that has
/// ended.
#[test]
fn a_connection_that_is_not_read_is_closed_with_its_guest() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream, "0.2");
    let mut client = host.connect();
    client.write(&get(&to("post-for-ever", &upstream, "/")).bytes());
    let mut arrival = upstream.receive();
    arrival.write(ANSWER);
    assert_eq!(client.receive().body, b"ok");
    wait_until_idle(&operators);
    wait::until("a closed connection", || {
        if arrival.try_write("x").is_err() {
            return Ok(());
        }
        // Its buffer must not be full before the deadline.
        thread::sleep(Duration::from_millis(10));
        Err("it is open")
    });
}
