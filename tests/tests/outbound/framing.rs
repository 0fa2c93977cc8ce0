//! Framing of outbound request bodies, and unusual heads and bodies of other servers.

use std::io::Read;

use end_to_end::TestHost;
use end_to_end::client::{Connection, Response};
use end_to_end::upstream::{Arrival, Upstream};

use super::{begin, error_code, order, origin, sender_to};

/// The outbound request of a guest with this option, and its client, which must stay connected.
fn arrival(option: &str) -> ((TestHost, Connection), Arrival) {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    let client = begin(&host, option, &format!("{}/x", origin(&upstream)));
    let arrival = upstream.receive();
    ((host, client), arrival)
}

#[test]
fn a_body_of_get_without_a_length_is_sent_in_chunks() {
    let (_client, mut arrival) = arrival("1g");
    assert!(arrival.head.starts_with("GET /x "), "{}", arrival.head);
    assert_eq!(arrival.field("transfer-encoding"), Some("chunked"));
    arrival.read_until(b"5\r\nwhole\r\n0\r\n\r\n");
}

#[test]
fn a_get_with_an_empty_body_is_sent_without_one() {
    for option in ["1", "1o"] {
        let (_client, arrival) = arrival(option);
        assert!(arrival.head.starts_with("GET /x "), "{}", arrival.head);
        assert_eq!(arrival.field("transfer-encoding"), None, "{option}");
        assert_eq!(arrival.field("content-length"), None, "{option}");
    }
}

#[test]
fn a_post_without_a_body_has_content_length_0() {
    let (_client, arrival) = arrival("1e");
    assert!(arrival.head.starts_with("POST /x "), "{}", arrival.head);
    assert_eq!(arrival.field("content-length"), Some("0"));
    assert_eq!(arrival.field("transfer-encoding"), None);
}

#[test]
fn a_folded_field_of_a_server_reaches_the_guest_on_one_line() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    let mut client = begin(&host, "1", &origin(&upstream));
    let mut arrival = upstream.receive();
    arrival.write("HTTP/1.1 200 OK\r\nx-folded: a\r\n  b\r\ncontent-length: 4\r\n\r\ngood");
    let response = client.receive();
    assert_eq!(response.status, 200, "{response:?}");
    let value = response.header("x-folded").expect("the field");
    let words: Vec<_> = value.split_whitespace().collect();
    assert_eq!(
        (words, value.contains(['\r', '\n'])),
        (vec!["a", "b"], false)
    );
}

/// The result of a guest with this option for a server that gives this answer and closes the
/// connection.
fn answer_to(option: &str, answer: &str) -> Response {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    let mut client = begin(&host, option, &origin(&upstream));
    let mut arrival = upstream.receive();
    arrival.write(answer);
    drop(arrival);
    client.receive()
}

#[test]
fn a_request_without_a_path_is_sent_for_the_root() {
    let (_client, arrival) = arrival("1n");
    assert!(arrival.head.starts_with("GET / "), "{}", arrival.head);
}

#[test]
fn a_response_has_one_length_for_the_guest_which_can_pass_it_on() {
    for head in [
        "content-length: 10\r\ntransfer-encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n",
        "content-length: 4\r\ncontent-length: 4\r\n\r\ngood",
        "content-length: 4, 4\r\n\r\ngood",
    ] {
        let response = answer_to("1", &format!("HTTP/1.1 200 OK\r\n{head}"));
        assert_eq!(
            (response.status, &*response.text()),
            (200, "good"),
            "{head}"
        );
        assert!(response.is_complete, "{head}");
    }
}

#[test]
fn a_response_of_another_transfer_coding_than_chunked_is_an_error() {
    for coding in ["gzip", "gzip, chunked"] {
        let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n0\r\n\r\n");
        let code = error_code(&answer_to("1", &answer));
        assert_eq!(code, "HTTP-response-transfer-coding", "{coding}");
    }
}

#[test]
fn a_guest_gets_the_error_code_of_an_aborted_body() {
    let response = answer_to("1c", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello");
    assert_eq!(error_code(&response), "HTTP-response-incomplete");
}

#[test]
fn a_body_beyond_its_content_length_does_not_look_complete() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    let mut client = begin(&host, "1l", &origin(&upstream));
    let mut connection = upstream.accept();
    let mut sent = Vec::new();
    // It may be reset.
    let _ = connection.read_to_end(&mut sent);
    let sent = String::from_utf8_lossy(&sent);
    assert!(!sent.contains("\r\n\r\nwho"), "{sent}");
    assert_eq!(error_code(&client.receive()), "HTTP-request-body-size");
}

#[test]
fn trailers_of_a_request_that_cannot_be_sent_are_logged() {
    let ((host, _client), mut arrival) = arrival("1t");
    arrival.read_until(b"5\r\nwhole\r\n0\r\n\r\n");
    let _ = host
        .log()
        .wait_for_entry(&["trailers `x-t` of an outbound request dropped"]);
}

#[test]
fn a_status_without_a_registered_reason_has_none() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    let mut client = host.connect();
    let request = order("1", &origin(&upstream)).header("connection", "close");
    client.write(&request.bytes());
    let mut arrival = upstream.receive();
    arrival.write("HTTP/1.1 299 Custom\r\ncontent-length: 0\r\n\r\n");
    let response = client.rest().expect("a response");
    let text = String::from_utf8_lossy(&response);
    assert!(text.starts_with("HTTP/1.1 299 \r\n"), "{text}");
}
