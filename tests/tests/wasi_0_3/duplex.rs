//! Bodies in both directions at the same time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use end_to_end::client::{Connection, Request, Response, chunk, get};
use end_to_end::http2::{self, Client, END_STREAM, Event, Frame};
use end_to_end::{DEADLINE, TestHost};

use super::{guest, wait_until_idle};

const BODY_BYTES: usize = 10 << 20;

/// A server whose guests start before their bodies are received.
fn serve() -> TestHost {
    guest().flag("--body-buffer", "0").start()
}

/// Both echoes, of which the second one hands the body on without reading it.
const ECHOES: [&str; 2] = ["/echo-all", "/echo-itself"];

/// The answer to these frames on a new connection.
fn answer(host: &TestHost, frames: &[Vec<u8>]) -> Response {
    let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
    let bytes = [http2::begin(), frames.concat()].concat();
    client.send(&bytes).expect("it reads");
    match client.event().expect("an answer") {
        Event::Response(1, response) => response,
        event => panic!("{event:?}"),
    }
}

fn connect(host: &TestHost) -> TcpStream {
    let stream = TcpStream::connect(host.address()).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time");
    stream.set_write_timeout(Some(DEADLINE)).expect("a time");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// Reads until the bytes end with `end`.
fn read_until(stream: &mut TcpStream, end: &[u8]) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).expect("more bytes");
        assert!(read > 0, "the end after {}", bytes.escape_ascii());
        bytes.extend_from_slice(&part[..read]);
    }
}

/// Sends a body in chunks, each of which comes back before the next one.
#[track_caller]
fn check_lock_step(path: &str) {
    let host = serve();
    let mut stream = connect(&host);
    let head = Request::new("POST", path).chunked().head();
    stream.write_all(&head).expect("it reads");
    for number in 0..20 {
        let chunk = chunk(format!("chunk {number}").as_bytes());
        stream.write_all(&chunk).expect("it reads");
        read_until(&mut stream, &chunk);
    }
    stream.write_all(&chunk(b"")).expect("it reads");
    read_until(&mut stream, b"0\r\n\r\n");
}

#[test]
fn each_chunk_comes_back_before_the_next_one_is_sent() {
    check_lock_step("/echo");
}

#[test]
fn each_frame_comes_back_before_the_next_one_is_sent_in_http2() {
    let host = serve();
    let mut stream = connect(&host);
    let head = http2::head(1, "POST", "/echo", &[], 0);
    let start = [http2::begin(), head].concat();
    stream.write_all(&start).expect("it reads");
    for number in 0..20 {
        let text = format!("frame {number}");
        let frame = Frame::new("DATA", 0, 1, text.as_bytes()).bytes();
        stream.write_all(&frame).expect("it reads");
        read_until(&mut stream, &frame);
    }
}

/// Bytes without a period that a chunk has.
fn pattern() -> Vec<u8> {
    let byte = |index: usize| u8::try_from(index % 251).expect("a byte");
    (0..BODY_BYTES).map(byte).collect()
}

#[test]
fn a_body_of_10_mib_comes_back_unchanged() {
    let host = serve();
    let body = pattern();
    // The last two have the `content-length` of the request.
    for path in ["/echo", "/echo-all", "/echo-itself"] {
        let mut writer = connect(&host);
        let mut reader = Connection::over(writer.try_clone().expect("a socket"));
        let request = Request::new("POST", path).body(body.clone()).bytes();
        let response = thread::scope(|scope| {
            scope.spawn(|| writer.write_all(&request).expect("it reads"));
            reader.receive()
        });
        assert!(response.is_complete, "{path}: {response:?}");
        // Not `assert_eq`, because it has 10 MiB.
        assert!(response.body == body, "{path}: {response:?}");
    }
}

/// It computes for each chunk, so that it soon runs on an offload thread.
#[test]
fn bodies_of_offloaded_guests_come_back_unchanged() {
    let (host, operators) = guest()
        .flag("--body-buffer", "0")
        .flag("--cpu-timeout", "60")
        .flag("--request-timeout", "600")
        .start_with_operators();
    let body = &pattern()[..1 << 20];
    let request = Request::new("POST", "/busy-echo").body(body).bytes();
    thread::scope(|scope| {
        for _ in 0..6 {
            let mut writer = connect(&host);
            let mut reader = Connection::over(writer.try_clone().expect("a socket"));
            let request = &request;
            scope.spawn(move || writer.write_all(request).expect("it reads"));
            scope.spawn(move || {
                let response = reader.receive();
                assert!(response.is_complete, "{response:?}");
                assert!(response.body == body, "{response:?}");
            });
        }
    });
    wait_until_idle(&operators);
}

#[test]
fn bodies_of_10_mib_are_read_and_written() {
    let host = guest().start();
    let post = Request::new("POST", "/length").body(pattern());
    assert_eq!(host.send(&post).text(), BODY_BYTES.to_string());
    let response = host.send(&get(&format!("/bytes?{BODY_BYTES}")));
    assert_eq!((response.status, response.body.len()), (200, BODY_BYTES));
    assert!(response.body.iter().all(|byte| *byte == b'x'));
}

#[test]
fn trailers_pass_in_both_directions_in_http2() {
    let host = serve();
    let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
    let bytes = [
        http2::begin(),
        http2::head(1, "POST", "/echo", &[], 0),
        Frame::new("DATA", 0, 1, "hello").bytes(),
        http2::trailers(1, &[("x-checksum", "1234"), ("x-other", "5")]),
    ];
    client.send(&bytes.concat()).expect("it reads");
    let Event::Response(1, response) = client.event().expect("an answer") else {
        panic!("no response");
    };
    assert_eq!((response.status, &*response.text()), (200, "hello"));
    assert_eq!(response.header("x-checksum"), Some("1234"), "{response:?}");
    assert_eq!(response.header("x-other"), Some("5"), "{response:?}");
}

#[test]
fn fields_body_and_trailers_come_back_read_by_the_guest_or_not() {
    let host = serve();
    for path in ECHOES {
        let response = answer(
            &host,
            &[
                http2::head(1, "POST", path, &[("foo", "bar")], 0),
                Frame::new("DATA", 0, 1, "hello").bytes(),
                http2::trailers(1, &[("x-checksum", "1234")]),
            ],
        );
        assert_eq!(
            (response.status, &*response.text()),
            (200, "hello"),
            "{path}"
        );
        assert_eq!(response.header("foo"), Some("bar"), "{path}");
        assert_eq!(response.header("x-checksum"), Some("1234"), "{path}");
    }
}

/// RFC 9113, section 6.1: a frame may be empty, also the last one.
#[test]
fn empty_frames_between_and_after_others_do_not_end_a_body() {
    let host = serve();
    let data = |flags: u8, text: &str| Frame::new("DATA", flags, 1, text).bytes();
    for path in ECHOES {
        for (last, expected) in [("", "hello world"), (" and more", "hello world and more")] {
            let mut frames = vec![http2::head(1, "POST", path, &[], 0)];
            for text in ["", "", "hello ", "", "", "world"] {
                frames.push(data(0, text));
            }
            frames.push(data(END_STREAM, last));
            let response = answer(&host, &frames);
            assert_eq!(
                (response.status, &*response.text()),
                (200, expected),
                "{path}"
            );
        }
    }
}

#[test]
fn a_body_that_the_guest_hands_on_unread_comes_back_in_lock_step_and_unchanged() {
    check_lock_step("/echo-itself");
}

#[test]
fn a_guest_sees_scheme_host_and_path() {
    let host = serve();
    let request = get("/a/target?x=1&y").header("host", "example.com:8080");
    let expected = "http example.com:8080 /a/target?x=1&y";
    assert_eq!(host.send(&request).text(), expected);
    let absolute = get("http://other:81/target");
    assert_eq!(host.send(&absolute).text(), "http other:81 /target");
    // Without a field, the authority is the address of the server.
    let old = get("/target").without_header("host").http_1_0();
    let expected = format!("http {} /target", host.address());
    assert_eq!(host.send(&old).text(), expected);

    let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
    let head = http2::head(1, "GET", "/target", &[], END_STREAM);
    let bytes = [http2::begin(), head].concat();
    client.send(&bytes).expect("it reads");
    let Event::Response(1, response) = client.event().expect("an answer") else {
        panic!("no response");
    };
    assert_eq!(response.text(), "http test /target");
}
