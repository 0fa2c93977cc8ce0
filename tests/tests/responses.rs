//! Responses arrive complete, or visibly incomplete.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use end_to_end::cases::check_problem;
use end_to_end::client::{Request, chunk, post};
use end_to_end::http2::{self, Client, END_STREAM, Event};
use end_to_end::{DEADLINE, TestHost};

/// A server of the hostile guests with this flag.
fn hostile_with(name: &str, value: &str) -> TestHost {
    TestHost::serve_guest("hostile").flag(name, value).start()
}

fn hostile() -> TestHost {
    hostile_with("--audit", "none")
}

/// The bytes that the server sends until it closes or resets the connection, and which it was.
fn all_of_1_0(host: &TestHost, path: &str) -> (Vec<u8>, io::Result<usize>) {
    let mut stream = TcpStream::connect(host.address()).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time");
    let request = Request::new("GET", path).http_1_0();
    stream.write_all(&request.bytes()).expect("it reads");
    let mut all = Vec::new();
    let end = stream.read_to_end(&mut all);
    (all, end)
}

/// A response without a length ends with the connection.
#[test]
fn a_response_to_http_1_0_that_is_not_whole_breaks_the_connection() {
    let host = hostile();
    let (all, end) = all_of_1_0(&host, "/trap-in-body");
    assert!(all.ends_with(b"good"), "{}", all.escape_ascii());
    let end = end.expect_err("a broken connection");
    assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);

    let (all, end) = all_of_1_0(&host, "/end-in-body");
    assert!(all.ends_with(b"good"), "{}", all.escape_ascii());
    end.expect("the end of a whole response");
}

#[test]
fn a_guest_continues_after_its_body_was_sent() {
    let setup = TestHost::serve_guest("hostile").flag("--audit", "jsonl:-");
    let host = setup.start_announced_on_stderr();
    let response = host.send(&Request::new("GET", "/audit-late"));
    assert_eq!(response.body, b"good");
    let _ = host.output().wait_for_entry(&["aaaaaaaaaaaaaaaa"]);
}

/// A request of HTTP/2 without a body.
fn ask(method: &str, path: &str) -> Vec<u8> {
    let head = http2::head(1, method, path, &[], END_STREAM);
    [http2::begin(), head].concat()
}

#[test]
fn the_answer_of_the_server_to_head_has_no_body_in_http2() {
    let host = hostile();
    let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
    client.send(&ask("HEAD", "/trap")).expect("it reads");
    let event = client.event().expect("an answer");
    let Event::Response(1, response) = event else {
        panic!("{event:?}");
    };
    assert_eq!((response.status, response.body.len()), (500, 0));
    assert!(
        response
            .header("content-length")
            .is_some_and(|length| length != "0")
    );
}

#[test]
fn empty_pieces_of_a_body_are_not_sent() {
    let host = hostile_with("--cpu-timeout", "0.2");
    let mut stream = TcpStream::connect(host.address()).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time");
    stream
        .write_all(&ask("GET", "/write-nothing"))
        .expect("it reads");
    let mut frames = 0;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).expect("all of it");
        frames += 1;
        assert!(frames < 20, "the last of {frames} is {head:?}");
        // Its own stream is reset, or answered with a problem document.
        if head[8] == 1 && (head[3] == 3 || head[4] & END_STREAM != 0) {
            break;
        }
    }
}

#[test]
fn upgrade_is_ignored() {
    let asking = |request: Request| {
        let request = request.header("connection", "upgrade, http2-settings");
        request
            .header("UPGRADE", "h2c")
            .header("http2-settings", "AA")
    };
    let host = hostile_with("--max-request-body", "1KiB");
    let mut connection = host.connect();
    for _ in 0..2 {
        let response = connection.exchange(&asking(Request::new("GET", "/good")));
        assert_eq!(response.body, b"good");
    }
    // Also a request that is refused within its body.
    for _ in 0..10 {
        let mut connection = host.connect();
        let head = asking(post("/good", "").chunked()).head();
        let _ = connection.try_write(&[head, chunk(&vec![b'x'; 1 << 20])].concat());
        check_problem(
            &connection.receive(),
            413,
            &["the request body is too large"],
        );
    }
}
