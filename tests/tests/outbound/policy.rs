//! `--allow-outbound`: the origins of outbound requests.

use end_to_end::TestHost;
use end_to_end::client::Request;
use end_to_end::guests::Guest;
use end_to_end::process::Finished;
use end_to_end::upstream::Upstream;

use super::{begin, error_code, order, origin, refusal, sender, sender_to, with};

#[test]
fn allow_outbound_sends_a_request_to_its_origin() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    let url = format!("{}/a/path?and=query", origin(&upstream));
    let mut client = begin(&host, "1", &url);
    let mut arrival = upstream.receive();
    assert!(
        arrival
            .head
            .starts_with("GET /a/path?and=query HTTP/1.1\r\n"),
        "{}",
        arrival.head
    );
    assert_eq!(arrival.field("host"), Some(upstream.authority().as_str()));
    assert_eq!(arrival.field("connection"), Some("close"));
    arrival.write("HTTP/1.1 201 Created\r\nx-from: upstream\r\ncontent-length: 5\r\n\r\nhello");
    let response = client.receive();
    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(response.header("x-from"), Some("upstream"));
    assert_eq!(response.body, b"hello");
}

#[test]
fn a_body_is_sent_to_its_end() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    let mut client = begin(&host, "1w", &origin(&upstream));
    let mut arrival = upstream.receive();
    assert!(
        arrival.head.starts_with("POST / HTTP/1.1\r\n"),
        "{}",
        arrival.head
    );
    arrival.read_until(b"5\r\nwhole\r\n0\r\n\r\n");
    arrival.write("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.receive().status, 204);
}

#[test]
fn a_connection_serves_one_request_and_is_closed() {
    let upstream = Upstream::start();
    let host = sender_to(&upstream);
    for _ in 0..2 {
        let mut client = begin(&host, "1", &origin(&upstream));
        let mut arrival = upstream.receive();
        arrival.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(client.receive().status, 200);
        assert_eq!(arrival.read_to_end(), b"");
    }
}

#[test]
fn by_default_no_outbound_request_is_sent() {
    let upstream = Upstream::start();
    let host = sender(&[]);
    assert_eq!(refusal(&host, &origin(&upstream)), "HTTP-request-denied");
    assert!(upstream.is_left_alone());
}

#[test]
fn allow_outbound_refuses_another_port_host_or_scheme() {
    let (upstream, other) = (Upstream::start(), Upstream::start());
    let host = sender_to(&upstream);
    let port = upstream.port();
    for (url, expected) in [
        (origin(&other), "HTTP-request-denied"),
        (format!("https://127.0.0.1:{port}"), "HTTP-request-denied"),
        (format!("http://localhost:{port}"), "HTTP-request-denied"),
        (format!("http://127.0.0.2:{port}"), "HTTP-request-denied"),
        (
            format!("http://[::ffff:127.0.0.1]:{port}"),
            "HTTP-request-denied",
        ),
        ("http://127.0.0.1".to_owned(), "HTTP-request-denied"),
        (format!("http://127.1:{port}"), "HTTP-request-URI-invalid"),
        (
            format!("http://me@127.0.0.1:{port}"),
            "HTTP-request-URI-invalid",
        ),
        (format!("ftp://127.0.0.1:{port}"), "HTTP-protocol-error"),
    ] {
        assert_eq!(refusal(&host, &url), expected, "{url}");
    }
    assert!(upstream.is_left_alone() && other.is_left_alone());
}

#[test]
fn allow_outbound_localhost_is_loopback() {
    let upstream = Upstream::start();
    let url = format!("http://localhost:{}", upstream.port());
    let host = sender(&[&url]);
    let mut client = begin(&host, "1", &url);
    let mut arrival = upstream.receive();
    let authority = format!("localhost:{}", upstream.port());
    assert_eq!(arrival.field("host"), Some(authority.as_str()));
    arrival.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(client.receive().status, 200);
}

#[test]
fn a_redirect_is_a_response_and_where_it_leads_is_checked_anew() {
    let (upstream, secret) = (Upstream::start(), Upstream::start());
    let host = sender_to(&upstream);
    let mut client = begin(&host, "1", &origin(&upstream));
    let mut arrival = upstream.receive();
    let location = format!("{}/secrets", origin(&secret));
    arrival.write(format!(
        "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    ));
    let response = client.receive();
    assert_eq!(response.status, 302, "{response:?}");
    assert_eq!(response.header("location"), Some(location.as_str()));
    assert_eq!(refusal(&host, &location), "HTTP-request-denied");
    assert!(secret.is_left_alone());
}

#[test]
fn the_log_has_one_refusal_for_each_request_with_its_id_and_the_flag() {
    let mut host = sender(&[]);
    for id in ["first", "second"] {
        let order = order("9", "http://me:password@api.example/secret");
        let response = host.send(&order.header("x-request-id", id));
        assert_eq!(error_code(&response), "HTTP-request-URI-invalid");
        let order = super::order("9", "http://api.example/secret?query");
        let response = host.send(&order.header("x-request-id", id));
        assert_eq!(error_code(&response), "HTTP-request-denied");
    }
    host.terminate();
    let log = host.log().text();
    let refusals: Vec<_> = log
        .lines()
        .filter(|line| line.contains("outbound request denied"))
        .collect();
    assert_eq!(refusals.len(), 2, "{log}");
    for (refusal, id) in refusals.iter().zip(["first", "second"]) {
        assert!(refusal.contains(id), "{refusal}");
        assert!(
            refusal.contains("--allow-outbound http://api.example:80"),
            "{refusal}"
        );
    }
    assert!(
        !log.contains("secret") && !log.contains("password"),
        "{log}"
    );
}

#[test]
fn an_invalid_outbound_request_is_not_logged() {
    let mut host = sender(&[]);
    assert_eq!(refusal(&host, "ftp://api.example"), "HTTP-protocol-error");
    host.terminate();
    let log = host.log().text();
    assert!(!log.contains("WARN"), "{log}");
}

#[test]
fn outbound_requests_are_logged_at_debug_without_path_and_query() {
    let upstream = Upstream::start();
    let host = with(&[&origin(&upstream)], |setup| {
        setup.process_env("RUST_LOG", "off,engine::outbound=debug")
    });
    let url = format!("{}/secret?query", origin(&upstream));
    let request: Request = order("1", &url).header("x-request-id", "the-id");
    let mut client = host.connect();
    client.write(&request.bytes());
    upstream
        .receive()
        .write("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(client.receive().status, 404);
    let sent = format!("GET to {}: 404", origin(&upstream));
    let entry = host.log().wait_for_entry(&["the-id", &sent]);
    assert!(
        !entry.contains("secret") && !entry.contains("query"),
        "{entry}"
    );
}

#[test]
fn allow_outbound_refuses_an_invalid_origin() {
    let guest = Guest::assemble("sender");
    for value in ["api.example", "https://api.example/v1", "https://*.com"] {
        let setup = TestHost::serve(guest.path()).flag("--allow-outbound", value);
        let Finished { code, stderr, .. } = setup.fail();
        assert_eq!(code, Some(64), "{stderr}");
        assert!(
            stderr.contains("--allow-outbound") && stderr.contains(value),
            "{stderr}"
        );
    }
}
