//! Requests that are answered.

use std::net::TcpStream;
use std::thread;

use end_to_end::DEADLINE;
use end_to_end::client::{Connection, Request, get};
use end_to_end::upstream::Upstream;

use super::{EMPTY, exchange, serve, to};
use crate::wasi_0_3::wait_until_idle;

#[test]
fn a_get_of_a_guest_of_wasi_0_3_is_sent_and_its_answer_passed_on() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream);
    let request = get(&to("forward", &upstream, "/a/path?and=query"));
    let response = exchange(&host, &request, &upstream, |mut arrival| {
        let line = "GET /a/path?and=query HTTP/1.1\r\n";
        assert!(arrival.head.starts_with(line), "{}", arrival.head);
        assert_eq!(arrival.field("host"), Some(&*upstream.authority()));
        assert_eq!(arrival.field("transfer-encoding"), None);
        assert_eq!(arrival.field("content-length"), None);
        arrival.write("HTTP/1.1 201 Created\r\nx-from: upstream\r\ncontent-length: 5\r\n\r\nhello");
    });
    assert_eq!((response.status, &*response.text()), (201, "hello"));
    assert_eq!(response.header("x-from"), Some("upstream"));
    wait_until_idle(&operators);
}

#[test]
fn a_post_of_a_guest_of_wasi_0_3_has_the_body_of_its_client() {
    let upstream = Upstream::start();
    let (host, _) = serve(&upstream);
    let request = Request::new("POST", &to("forward", &upstream, "/post")).body("{\"a\": 1}");
    let response = exchange(&host, &request, &upstream, |mut arrival| {
        assert!(arrival.head.starts_with("POST /post "), "{}", arrival.head);
        assert_eq!(arrival.field("transfer-encoding"), Some("chunked"));
        arrival.read_until(b"8\r\n{\"a\": 1}\r\n0\r\n\r\n");
        arrival.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
    assert_eq!((response.status, &*response.text()), (200, "ok"));
}

#[test]
fn a_put_of_a_guest_of_wasi_0_3_without_content_has_content_length_0() {
    let upstream = Upstream::start();
    let (host, _) = serve(&upstream);
    let request = Request::new("PUT", &to("forward", &upstream, "/put")).body("");
    let response = exchange(&host, &request, &upstream, |mut arrival| {
        assert!(arrival.head.starts_with("PUT /put "), "{}", arrival.head);
        assert_eq!(arrival.field("content-length"), Some("0"));
        arrival.write(EMPTY);
    });
    assert_eq!(response.status, 204, "{response:?}");
}

/// Through the server twice, in both directions at the same time.
#[test]
fn a_body_of_1_mib_passes_a_guest_of_wasi_0_3_and_another_server_unchanged() {
    let upstream = Upstream::start();
    let (host, operators) = serve(&upstream);
    let body: Vec<u8> = (0..=250).cycle().take((1 << 20) + 1).collect();
    let request = Request::new("POST", &to("forward", &upstream, "/")).body(body.clone());
    let stream = TcpStream::connect(host.address()).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time");
    let mut writer = Connection::over(stream.try_clone().expect("a socket"));
    let mut reader = Connection::over(stream);
    let response = thread::scope(|scope| {
        scope.spawn(|| writer.write(&request.bytes()));
        let mut arrival = upstream.receive();
        scope.spawn(move || {
            arrival.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            arrival.echo();
        });
        reader.receive()
    });
    assert!(response.is_complete, "{response:?}");
    // Not `assert_eq`, because it has a MiB.
    assert!(response.body == body, "{response:?}");
    wait_until_idle(&operators);
}

#[test]
fn pieces_that_a_guest_of_wasi_0_3_posts_come_back_unchanged() {
    let upstream = Upstream::start();
    let (host, _) = serve(&upstream);
    let mut client = host.connect();
    client.write(&get(&to("send-pieces", &upstream, "")).bytes());
    let mut arrival = upstream.receive();
    assert!(arrival.head.starts_with("POST / "), "{}", arrival.head);
    arrival.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    let response = thread::scope(|scope| {
        scope.spawn(|| arrival.echo());
        client.receive()
    });
    // The guest has compared them.
    assert_eq!((response.status, &*response.text()), (200, "good"));
}

/// The fields that concern the connection of the client stay here.
#[test]
fn a_request_that_a_guest_of_wasi_0_3_passes_on_loses_the_fields_of_its_connection() {
    let upstream = Upstream::start();
    let (host, _) = serve(&upstream);
    let request = get(&to("pass-on", &upstream, "/"))
        .header("host", "victim.internal")
        .header("connection", "close")
        .header("keep-alive", "timeout=5")
        .header("proxy-authorization", "Basic eDp5")
        .header("foo", "bar");
    let response = exchange(&host, &request, &upstream, |mut arrival| {
        assert_eq!(arrival.field("host"), Some(&*upstream.authority()));
        assert_eq!(arrival.head.matches("victim.internal").count(), 0);
        // Its own.
        assert_eq!(arrival.field("connection"), Some("close"));
        assert_eq!(arrival.field("keep-alive"), None);
        assert_eq!(arrival.field("proxy-authorization"), None);
        assert_eq!(arrival.field("foo"), Some("bar"));
        arrival.write(EMPTY);
    });
    assert_eq!(response.status, 204, "{response:?}");
}
