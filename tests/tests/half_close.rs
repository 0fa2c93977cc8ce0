//! Clients that shut down their sending side after a request, and clients that disconnect.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use end_to_end::cases::{check_problem, check_result};
use end_to_end::client::{Connection, Request, encrypt, post};
use end_to_end::operators::Operators;
use end_to_end::upstream::Upstream;
use end_to_end::{DEADLINE, Setup, TestHost, app};

/// A server without a timeout for waiting guests, and its metrics.
fn patient(half_close_timeout: &str, setup: Setup) -> (TestHost, Operators) {
    setup
        .flag("--half-close-timeout", half_close_timeout)
        .flag("--request-timeout", "600")
        .start_with_operators()
}

const IN_FLIGHT: &str = "requests_in_flight{function=\"guest\"}";
const GONE: &str = "requests_total{function=\"guest\",method=\"GET\",code=\"499\"}";

/// Sends `request` and the end of the stream `count` times, each on a new connection.
#[track_caller]
fn check_answered(host: &TestHost, request: &Request, status: u16, count: usize) {
    for _ in 0..count {
        let mut connection = host.connect();
        connection.write(&request.bytes());
        connection.end().expect("the server is there");
        let response = connection.receive_for(request.method());
        assert_eq!(response.status, status, "{request:?}");
        assert!(connection.is_closed_by_server());
    }
}

#[test]
fn a_request_is_answered_whose_client_shuts_down_its_sending_side_at_once() {
    let host = app().start();
    check_answered(&host, &encrypt("a"), 200, 40);
    check_answered(&host, &encrypt("a").http_1_0(), 200, 10);
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "X"] {
        let status = host.send(&Request::new(method, "/encrypt")).status;
        check_answered(&host, &Request::new(method, "/encrypt"), status, 10);
        check_answered(
            &host,
            &Request::new(method, "/encrypt").http_1_0(),
            status,
            5,
        );
    }
}

#[test]
fn pipelined_requests_before_the_end_of_the_stream_are_all_answered() {
    let host = app().start();
    for _ in 0..10 {
        let mut connection = host.connect();
        let mut bytes = encrypt("a").bytes().repeat(3);
        // The incomplete head of a fourth one.
        bytes.extend_from_slice(b"GET / HTTP/1.1\r\nhost:");
        connection.write(&bytes);
        connection.end().expect("the server is there");
        for _ in 0..3 {
            check_result(&connection.receive(), "d");
        }
        assert!(connection.is_closed_by_server());
    }
}

#[test]
fn half_close_timeout_lets_a_waiting_guest_answer() {
    let upstream = Upstream::start();
    let host = TestHost::serve_guest("sender")
        .flag(
            "--allow-outbound",
            format!("http://{}", upstream.authority()),
        )
        .flag("--half-close-timeout", "600")
        .start();
    let mut connection = host.connect();
    let path = format!("/1/http/{}/", upstream.authority());
    connection.write(&Request::new("GET", &path).bytes());
    let mut arrival = upstream.receive();
    connection.end().expect("the server is there");
    // A guest that is cancelled closes this connection.
    arrival.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n");
    std::thread::sleep(Duration::from_millis(200));
    arrival.write("good");
    assert_eq!(connection.receive().body, b"good");
}

#[test]
fn a_request_over_a_unix_socket_is_answered_after_the_end_of_the_stream() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let _host = app().address(format!("unix:{}", path.display())).start();
    for _ in 0..40 {
        let mut connection = over_unix(&path, &encrypt("a"));
        check_result(&connection.receive(), "d");
    }
}

/// Sends a request and the end of the stream.
fn over_unix(path: &Path, request: &Request) -> Connection<UnixStream> {
    let stream = UnixStream::connect(path).expect("a server");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time");
    let end = stream.try_clone().expect("a socket");
    let mut connection = Connection::over(stream);
    connection.write(&request.bytes());
    end.shutdown(Shutdown::Write).expect("the server is there");
    connection
}

#[test]
fn half_close_timeout_cancels_a_guest_that_begins_no_response() {
    let setup = TestHost::serve_guest("hostile");
    let (host, operators) = patient("0.2", setup);
    let mut connection = host.connect();
    connection.write(&Request::new("GET", "/sleep").bytes());
    operators.wait_for(&[(IN_FLIGHT, 1.0)]);
    connection.end().expect("the server is there");
    assert_eq!(connection.receive_if_any(), None);
    operators.wait_for(&[(IN_FLIGHT, 0.0), (GONE, 1.0)]);
}

#[test]
fn a_closed_unix_socket_ends_its_guest_without_half_close_timeout() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let setup = TestHost::serve_guest("hostile");
    let setup = setup.address(format!("unix:{}", path.display()));
    let (_host, operators) = patient("600", setup);
    let connection = over_unix(&path, &Request::new("GET", "/sleep"));
    operators.wait_for(&[(IN_FLIGHT, 1.0)]);
    drop(connection);
    operators.wait_for(&[(IN_FLIGHT, 0.0), (GONE, 1.0)]);
}

/// A client that closes its socket with unread bytes resets the connection.
#[test]
fn a_reset_after_the_end_of_the_stream_ends_the_guest_without_half_close_timeout() {
    let setup = TestHost::serve_guest("hostile");
    let (host, operators) = patient("600", setup);
    let mut connection = host.connect();
    // The response to the first one is not read.
    connection.write(&Request::new("GET", "/good").bytes());
    operators.wait_for(&[(
        "requests_total{function=\"guest\",method=\"GET\",code=\"200\"}",
        1.0,
    )]);
    connection.write(&Request::new("GET", "/sleep").bytes());
    operators.wait_for(&[(IN_FLIGHT, 1.0)]);
    connection.end().expect("the server is there");
    drop(connection);
    operators.wait_for(&[(IN_FLIGHT, 0.0), (GONE, 1.0)]);
}

#[test]
fn a_body_that_is_not_whole_at_the_end_of_the_stream_is_refused() {
    let host = app().start();
    let mut connection = host.connect();
    let bytes = post("/encrypt", "{\"message\":\"a\"}").bytes();
    connection.write(&bytes[..bytes.len() - 1]);
    connection.end().expect("the server is there");
    check_problem(
        &connection.receive(),
        400,
        &["the request body ended early"],
    );
}
