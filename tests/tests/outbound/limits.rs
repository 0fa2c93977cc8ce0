//! Limits on outbound requests: slow and malformed servers, and guests with many requests.

use end_to_end::client::Connection;
use end_to_end::upstream::{Arrival, Upstream};
use end_to_end::{Setup, TestHost};

use super::{begin, error_code, origin, sender, sender_to, with};

/// A request in flight, whose head has arrived at `upstream`.
fn arrived(host: &TestHost, how: &str, upstream: &Upstream) -> (Connection, Arrival) {
    let client = begin(host, how, &origin(upstream));
    (client, upstream.receive())
}

fn short(setup: Setup) -> Setup {
    setup.flag("--outbound-timeout", "1")
}

/// A server whose guests may send two requests at the same time.
fn at_most_2(upstream: &Upstream) -> TestHost {
    with(&[&origin(upstream)], |setup| {
        setup.flag("--max-outbound", "2")
    })
}

#[test]
fn outbound_timeout_ends_a_request_without_an_answer() {
    let upstream = Upstream::start();
    let host = with(&[&origin(&upstream)], short);
    let (mut client, mut arrival) = arrived(&host, "1", &upstream);
    assert_eq!(error_code(&client.receive()), "HTTP-response-timeout");
    assert_eq!(arrival.read_to_end(), b"");
}

#[test]
fn outbound_timeout_bounds_the_timeout_of_a_guest() {
    let upstream = Upstream::start();
    let host = with(&[&origin(&upstream)], short);
    let (mut client, _arrival) = arrived(&host, "1F", &upstream);
    assert_eq!(error_code(&client.receive()), "HTTP-response-timeout");
}

#[test]
fn a_guest_can_set_a_timeout_below_outbound_timeout() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    let (mut client, _arrival) = arrived(&host, "1f", &upstream);
    assert_eq!(error_code(&client.receive()), "connection-read-timeout");
}

#[test]
fn the_between_bytes_timeout_of_a_guest_ends_a_stalled_body() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    let (mut client, mut arrival) = arrived(&host, "1b", &upstream);
    arrival.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello");
    let response = client.receive();
    assert_eq!(response.body, b"hello");
    assert!(!response.is_complete, "{response:?}");
    assert_eq!(arrival.read_to_end(), b"");
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    let (mut client, mut arrival) = arrived(&host, "1", &upstream);
    arrival.write("HTTP/1.1 200 OK\r\nx-filler: ");
    let filler = vec![b'a'; 64 << 10];
    let is_cut_off = (0..1024).any(|_| arrival.try_write(&filler).is_err());
    assert!(is_cut_off, "the server does not take 64 MiB");
    assert_eq!(
        error_code(&client.receive()),
        "HTTP-response-header-section-size"
    );
}

#[test]
fn a_head_with_too_many_fields_is_refused() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    for (fields, is_refused) in [(99, false), (100, true)] {
        let (mut client, mut arrival) = arrived(&host, "1", &upstream);
        let fields = "a: b\r\n".repeat(fields);
        arrival.write(format!("HTTP/1.1 204 No Content\r\nc: d\r\n{fields}\r\n"));
        let response = client.receive();
        if is_refused {
            assert_eq!(error_code(&response), "HTTP-response-header-section-size");
        } else {
            assert_eq!(response.status, 204, "{response:?}");
        }
    }
}

#[test]
fn a_malformed_response_is_an_error_for_the_guest() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    for (answer, expected) in [
        ("", "HTTP-response-incomplete"),
        ("HTTP/1.1 200 OK\r\nx: ", "HTTP-response-incomplete"),
        ("SSH-2.0-OpenSSH_9.9\r\n", "HTTP-protocol-error"),
        (
            "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
            "HTTP-protocol-error",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
            "HTTP-upgrade-failed",
        ),
    ] {
        let (mut client, mut arrival) = arrived(&host, "1", &upstream);
        arrival.write(answer);
        drop(arrival);
        assert_eq!(error_code(&client.receive()), expected, "{answer:?}");
    }
}

#[test]
fn an_aborted_body_does_not_look_complete() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    for head in [
        "content-length: 9\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n5\r\n",
    ] {
        let (mut client, mut arrival) = arrived(&host, "1", &upstream);
        arrival.write(format!("HTTP/1.1 200 OK\r\n{head}hello"));
        drop(arrival);
        assert!(!client.receive().is_complete, "{head}");
    }
}

#[test]
fn max_outbound_requests_are_sent_at_the_same_time() {
    let upstream = Upstream::start();
    let host = at_most_2(&upstream);
    let mut client = begin(&host, "2", &origin(&upstream));
    let mut arrivals = [upstream.receive(), upstream.receive()];
    for arrival in &mut arrivals {
        arrival.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    }
    assert_eq!(client.receive().status, 200);
}

#[test]
fn a_request_beyond_max_outbound_waits_for_another_to_end() {
    let upstream = Upstream::start();
    let host = at_most_2(&upstream);
    let mut client = begin(&host, "6", &origin(&upstream));
    let mut arrivals = vec![upstream.receive(), upstream.receive()];
    for _ in 2..6 {
        // The guest reads only the last body.
        let mut arrival = arrivals.remove(0);
        arrival.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother");
        arrivals.push(upstream.receive());
    }
    for arrival in &mut arrivals {
        arrival.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlast");
    }
    let response = client.receive();
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.body, b"last");
}

#[test]
fn beyond_max_outbound_a_request_waits_for_outbound_timeout_and_the_log_names_both() {
    let upstream = Upstream::start();
    let origin = origin(&upstream);
    let host = with(&[&origin], |setup| short(setup).flag("--max-outbound", "2"));
    let mut client = begin(&host, "3", &origin);
    // Their responses do not end, and the guest reads none of them.
    let mut arrivals = [upstream.receive(), upstream.receive()];
    for arrival in &mut arrivals {
        arrival.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegin");
    }
    assert_eq!(error_code(&client.receive()), "connection-limit-reached");
    let _ = host.log().wait_for_entry(&[
        "outbound request failed",
        &origin,
        "`--max-outbound` or `--outbound-timeout`",
    ]);
}

#[test]
fn a_failure_of_another_server_is_logged_with_its_origin_and_reason() {
    let upstream = Upstream::start();
    let origin = origin(&upstream);
    let host = sender(&[&origin]);
    let (mut client, mut arrival) = arrived(&host, "1", &upstream);
    arrival.write("SSH-2.0-OpenSSH_9.9\r\n");
    drop(arrival);
    let response = client.receive();
    assert_eq!(error_code(&response), "HTTP-protocol-error");
    let id = response.header("x-request-id").expect("an id");
    let log = host.log();
    let _ = log.wait_for_entry(&[id, "GET to", &origin, "invalid HTTP version parsed"]);
}

#[test]
fn max_outbound_holds_per_instance() {
    let upstream = Upstream::start();
    let host = at_most_2(&upstream);
    let clients = [(); 3].map(|()| begin(&host, "2", &origin(&upstream)));
    let mut arrivals = [(); 6].map(|()| upstream.receive());
    for arrival in &mut arrivals {
        arrival.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    }
    for mut client in clients {
        assert_eq!(client.receive().status, 200);
    }
}

#[test]
fn an_outbound_request_ends_when_the_client_disconnects() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    let client = begin(&host, "2", &origin(&upstream));
    let mut arrivals = [upstream.receive(), upstream.receive()];
    drop(client);
    for arrival in &mut arrivals {
        assert_eq!(arrival.read_to_end(), b"");
    }
}

#[test]
fn an_incoming_outbound_response_ends_when_the_client_disconnects() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    let (client, mut arrival) = arrived(&host, "1", &upstream);
    arrival.write("HTTP/1.1 200 OK\r\n\r\n");
    drop(client);
    let filler = vec![b'a'; 64 << 10];
    let is_closed = (0..1024).any(|_| arrival.try_write(&filler).is_err());
    assert!(is_closed, "the server does not read 64 MiB");
}

#[test]
fn an_outbound_body_of_a_failed_guest_does_not_look_complete() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    let (mut client, mut arrival) = arrived(&host, "1p", &upstream);
    arrival.read_until(b"4\r\npart\r\n");
    arrival.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n");
    assert_eq!(arrival.read_to_end(), b"");
    assert_eq!(client.receive().status, 500);
}
