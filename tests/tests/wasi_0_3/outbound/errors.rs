//! Error codes, and timeouts that a guest sets.

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use end_to_end::client::{Response, get};
use end_to_end::upstream::Upstream;

use super::{EMPTY, allowing, exchange, serve, to};
use crate::wasi_0_3::wait_until_idle;

/// The name of the error code that a guest answers with.
#[track_caller]
fn check_code(response: &Response, expected: &str) {
    let expected = format!("ErrorCode::{expected}");
    assert_eq!((response.status, response.text()), (502, expected));
}

/// The guest gets the code from the future of its request, and from `send`.
#[test]
fn a_guest_of_wasi_0_3_learns_that_its_body_differs_from_its_content_length() {
    const CODE: &str = "ErrorCode::HttpRequestBodySize(Some(5))";

    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream);
    let exact = get(&to("announce", &upstream, "/5"));
    let response = exchange(&host, &exact, &upstream, |mut arrival| {
        arrival.read_until(b"whole");
        arrival.write(EMPTY);
    });
    assert_eq!(response.text(), "Ok(()), 204");

    for length in ["9", "3"] {
        let mut client = host.connect();
        client.write(&get(&to("announce", &upstream, &format!("/{length}"))).bytes());
        let mut connection = upstream.accept();
        let mut sent = Vec::new();
        // It may be reset.
        let _ = connection.read_to_end(&mut sent);
        let sent = String::from_utf8_lossy(&sent);
        // Less than was announced, and nothing of what is too long.
        let (_, body) = sent.split_once("\r\n\r\n").unwrap_or_default();
        assert!(body.len() < length.parse().expect("a number"), "{sent}");
        assert!(length == "9" || body.is_empty(), "{sent}");
        let expected = format!("Err({CODE}), {CODE}");
        assert_eq!(client.receive().text(), expected, "{length}");
    }
    wait_until_idle(&operators);
}

#[test]
fn a_guest_of_wasi_0_3_gets_the_error_code_with_which_it_breaks_its_body_off() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream);
    let mut client = host.connect();
    client.write(&get(&to("break-off", &upstream, "/")).bytes());
    let mut received = Vec::new();
    // It may be reset, also before the head. It never gets the last chunk.
    let _ = upstream.accept().read_to_end(&mut received);
    assert!(
        !received.ends_with(b"0\r\n\r\n"),
        "{}",
        received.escape_ascii()
    );
    check_code(&client.receive(), "LoopDetected");
    let log = host.log().wait_for_entry(&["outbound request failed"]);
    assert!(log.contains("loop"), "{log}");
    wait_until_idle(&operators);
}

#[test]
fn a_refused_connection_is_an_error_for_a_guest_of_wasi_0_3() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let host = allowing(address).start();
    let response = host.send(&get(&format!("/forward?{address}/")));
    check_code(&response, "ConnectionRefused");
}

#[test]
fn a_request_of_wasi_0_3_without_a_path_is_sent_for_the_root() {
    let upstream = Upstream::start();
    let (host, _) = serve(&upstream);
    let request = get(&to("no-path", &upstream, ""));
    let response = exchange(&host, &request, &upstream, |mut arrival| {
        assert!(arrival.head.starts_with("GET / "), "{}", arrival.head);
        arrival.write(EMPTY);
    });
    assert_eq!(response.status, 204, "{response:?}");
}

#[test]
fn another_scheme_and_connect_are_errors_for_a_guest_of_wasi_0_3() {
    let upstream = Upstream::start();
    let (host, _) = serve(&upstream);
    for (behaviour, code) in [
        ("other-scheme", "HttpProtocolError"),
        ("connect", "HttpRequestMethodInvalid"),
    ] {
        check_code(&host.send(&get(&to(behaviour, &upstream, ""))), code);
    }
    assert!(upstream.is_left_alone());
}

#[test]
fn a_guest_of_wasi_0_3_can_set_timeouts_below_outbound_timeout() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream);
    let mut client = host.connect();
    client.write(&get(&to("first-byte-timeout", &upstream, "/")).bytes());
    let mut arrival = upstream.receive();
    check_code(&client.receive(), "ConnectionReadTimeout");
    assert_eq!(arrival.read_to_end(), b"");

    let request = get(&to("between-bytes-timeout", &upstream, "/"));
    let response = exchange(&host, &request, &upstream, |mut arrival| {
        arrival.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello");
        assert_eq!(arrival.read_to_end(), b"");
    });
    assert_eq!(response.body, b"hello");
    assert!(!response.is_complete, "{response:?}");
    wait_until_idle(&operators);
}

#[cfg(target_os = "linux")]
#[test]
fn the_connect_timeout_of_a_guest_of_wasi_0_3_ends_a_connection_that_is_not_accepted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    // Room for one connection.
    rustix::net::listen(&listener, 0).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let _in_queue = TcpStream::connect(address).expect("there is room");
    let host = allowing(address).start();
    let response = host.send(&get(&format!("/connect-timeout?{address}/")));
    check_code(&response, "ConnectionTimeout");
}
