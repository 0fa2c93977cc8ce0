//! How the bodies of requests are announced to servers, and heads of servers that are folded.

use end_to_end::TestHost;
use end_to_end::client::Connection;
use end_to_end::upstream::{Arrival, Upstream};

use super::{begin, origin, sender_to};

/// The request that a guest sends with this option, and its client, which has to stay as long.
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
fn a_post_without_a_body_says_that_its_length_is_0() {
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
