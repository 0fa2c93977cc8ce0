//! Rules of RFC 9110, 9112 and 9113 that clients and guests rely on, over each version of HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use end_to_end::cases::check_problem;
use end_to_end::client::{Connection, Request, Response, get, post};
use end_to_end::functions::Folder;
use end_to_end::guests::{Guest, assemble};
use end_to_end::http2::{self, Client, END_STREAM, Event, Frame};
use end_to_end::{DEADLINE, Setup, TestHost, app};

/// A guest that answers with its path and each value of the field with this name.
fn shows(field: &str) -> Guest {
    Guest::of(assemble("locator", |source| {
        let length = format!("(i32.const 16) (i32.const {})", field.len());
        source
            .replace("x-forwarded-prefix", field)
            .replace("(i32.const 16) (i32.const 18)", &length)
    }))
}

fn hostile() -> TestHost {
    TestHost::serve_guest("hostile").start()
}

/// The response to a request of HTTP/2 without a body.
#[track_caller]
fn over_http2(host: &TestHost, method: &str, path: &str, fields: &[(&str, &str)]) -> Response {
    let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
    let head = http2::head(1, method, path, fields, END_STREAM);
    client
        .send(&[http2::begin(), head].concat())
        .expect("it reads");
    match client.event().expect("an answer") {
        Event::Response(1, response) => response,
        event => panic!("{event:?}"),
    }
}

/// All bytes of the response to these, which end the connection.
#[track_caller]
fn raw(host: &TestHost, bytes: &str) -> String {
    let mut stream = TcpStream::connect(host.address()).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time");
    stream.write_all(bytes.as_bytes()).expect("it reads");
    let mut all = String::new();
    stream.read_to_string(&mut all).expect("text");
    all
}

#[test]
fn cookie_pieces_of_http2_reach_the_guest_as_one_field() {
    let guest = shows("cookie");
    let host = TestHost::serve(guest.path()).start();
    let pieces = [
        ("cookie", "a=1"),
        ("x", "y"),
        ("cookie", "b=2"),
        ("cookie", "c=3"),
    ];
    let text = |fields: &[_]| over_http2(&host, "GET", "/", fields).text();
    assert_eq!(text(&pieces), "VERSION / a=1; b=2; c=3 VERSION");
    assert_eq!(text(&pieces[..1]), "VERSION / a=1 VERSION");
    assert_eq!(text(&[]), "VERSION / VERSION");
    // Any number of pieces is one field.
    let many = [("cookie", "a=1"); 150];
    let response = over_http2(&host, "GET", "/", &many);
    assert_eq!(response.status, 200, "{response:?}");
}

#[test]
fn a_204_has_no_content_length_in_any_version() {
    let host = hostile();
    for response in [
        host.send(&get("/status-204")),
        host.send(&get("/status-204").http_1_0()),
        host.send(&Request::new("HEAD", "/status-204")),
        over_http2(&host, "GET", "/status-204", &[]),
        over_http2(&host, "HEAD", "/status-204", &[]),
    ] {
        assert_eq!(response.status, 204, "{response:?}");
        assert_eq!(response.header("content-length"), None, "{response:?}");
        assert_eq!(response.body, b"", "{response:?}");
    }
    // That of 304 is the length of the response to which it refers. Over HTTP/1.1 hyper omits it,
    // which is allowed.
    let response = over_http2(&host, "GET", "/status-304", &[]);
    assert_eq!(response.header("content-length"), Some("4"), "{response:?}");
}

#[test]
fn a_target_of_a_host_and_a_query_has_the_path_of_the_root() {
    let guest = shows("x");
    let host = TestHost::serve(guest.path()).start();
    for (target, seen) in [
        ("http://h?x=1", "/?x=1"),
        ("http://h", "/"),
        ("http://h/?x=1", "/?x=1"),
        ("http://h/a?x=1", "/a?x=1"),
    ] {
        let response = host.send(&get(target));
        assert_eq!(
            response.text(),
            format!("VERSION {seen} VERSION"),
            "{target}"
        );
    }
}

#[test]
fn each_visible_character_of_a_target_reaches_the_guest_or_gets_a_400_with_a_document() {
    let guest = shows("x");
    let (host, operators) = TestHost::serve(guest.path()).start_with_operators();
    let mut connection = host.connect();
    let mut refused = 0.0;
    for byte in b'!'..=b'~' {
        for before in ["/a", "/a?b", "http://h/a", "http://h?b"] {
            let target = format!("{before}{}z", char::from(byte));
            let request = get(&target).header("x-request-id", "my-id");
            if byte == b'#' {
                let response = host.send(&request);
                check_problem(&response, 400, &["invalid request target"]);
                assert!(response.header("x-request-id").is_some(), "{response:?}");
                refused += 1.0;
                continue;
            }
            let response = connection.exchange(&request);
            assert_eq!(response.status, 200, "{target}: {response:?}");
            let path = target.strip_prefix("http://h").unwrap_or(&target);
            let slash = if path.starts_with('?') { "/" } else { "" };
            let as_it_is = format!("VERSION {slash}{path} VERSION");
            let start = &as_it_is[..as_it_is.len() - "*z VERSION".len()];
            let encoded = format!("{start}%{byte:02X}z VERSION");
            let text = response.text();
            assert!(text == as_it_is || text == encoded, "{target}: {text}");
        }
    }
    operators.wait_for(&[("refusals_total{reason=\"malformed\"}", refused)]);
    let json = connection.exchange(&get("/x?j={\"a\":1}&t=<b>"));
    assert_eq!(json.text(), "VERSION /x?j={%22a%22:1}&t=%3Cb%3E VERSION");
    // The requests behind it are read as if nothing had happened, in pieces of any size.
    let two = [get("/x?\"").bytes(), get("/y").bytes()].concat();
    for at_once in [1, 7, two.len()] {
        for piece in two.chunks(at_once) {
            connection.write(piece);
        }
        assert_eq!(connection.receive().text(), "VERSION /x?%22 VERSION");
        assert_eq!(connection.receive().text(), "VERSION /y VERSION");
    }
}

#[test]
fn a_target_has_its_limit_as_it_is_encoded() {
    let guest = shows("x");
    let host = TestHost::serve(guest.path())
        .flag("--max-target-size", "100")
        .start();
    let target = format!("/?{}", "<".repeat(32));
    assert_eq!(host.send(&get(&target)).status, 200);
    assert_eq!(host.send(&get(&format!("{target}<"))).status, 414);
}

/// Two functions with host routes, and one for all other hosts.
fn on_hosts() -> (TestHost, Folder) {
    let folder = Folder::new();
    folder.put_locator("name.wasm", "by-name");
    folder.put_locator("address.wasm", "address");
    folder.put_locator("other.wasm", "another");
    let functions = r#"
        [[function]]
        component = "name.wasm"
        route = "Api.example./"

        [[function]]
        component = "address.wasm"
        route = "[0:0::1]/"

        [[function]]
        component = "other.wasm"
        route = "/"
    "#;
    folder.put("functions.toml", functions);
    let host = TestHost::serve_functions(folder.join("functions.toml")).start();
    (host, folder)
}

#[test]
fn a_route_is_found_by_its_host_in_any_spelling() {
    let (host, _folder) = on_hosts();
    for (name, expected) in [
        ("api.example", "by-name"),
        ("api.example.", "by-name"),
        ("API.Example.:8080", "by-name"),
        ("%61pi.example", "by-name"),
        ("[::1]", "address"),
        ("[0:0:0:0:0:0:0:1]:80", "address"),
        ("[::0001]", "address"),
        ("api.example.org", "another"),
        ("[::2]", "another"),
        ("example", "another"),
    ] {
        let request = get("/").without_header("host").header("host", name);
        let response = host.send(&request);
        let text = response.text();
        assert!(text.starts_with(expected), "{name}: {text}");
        // The server's URI library does not allow an encoded host.
        if name.contains('%') {
            continue;
        }
        let absolute = host.send(&get(&format!("http://{name}/")));
        let text = absolute.text();
        assert!(text.starts_with(expected), "{name}: {text}");
    }
}

#[test]
fn a_request_of_http_1_0_without_a_host_is_served_over_a_unix_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let _host = TestHost::serve_guest("mirror")
        .address(format!("unix:{}", path.display()))
        .start();
    let stream = UnixStream::connect(&path).expect("a server");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time");
    let mut connection = Connection::over(stream);
    connection.write(b"GET /a HTTP/1.0\r\n\r\n");
    let response = connection.receive();
    assert_eq!(response.text(), "GET /a localhost");
}

#[test]
fn an_ipv4_client_of_an_ipv6_listener_has_its_own_address() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("access.log");
    let mut host = app().address("[::]:0").flag("--access-log", &log).start();
    let port = host.address().port();
    let response = Connection::open(([127, 0, 0, 1], port).into()).exchange(&get("/"));
    assert_eq!(response.status, 404);
    host.terminate();
    let lines = end_to_end::wait::whole_lines(&log);
    assert!(lines.starts_with("127.0.0.1 "), "{lines}");
}

#[test]
fn trailers_of_a_guest_reach_a_client_of_http_1_1_that_takes_them() {
    let host = hostile();
    let request =
        "GET /trailer-one HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: close, te\r\n\r\n";
    let all = raw(&host, request);
    assert!(all.contains("\r\ntrailer: x\r\n"), "{all}");
    assert!(all.ends_with("\r\n0\r\nx: 4\r\n\r\n"), "{all}");
}

#[test]
fn trailers_that_cannot_be_sent_are_logged() {
    let host = hostile();
    let request =
        "GET /trailer-late HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: close, te\r\n\r\n";
    let all = raw(&host, request);
    assert!(all.ends_with("\r\n0\r\n\r\n"), "{all}");
    let _ = host.log().wait_for_entry(&["trailers `x`", "not sent"]);
}

#[test]
fn responses_have_the_date_of_now() {
    let host = hostile();
    for response in [
        host.send(&get("/good")),
        over_http2(&host, "GET", "/good", &[]),
    ] {
        let date = response.header("date").expect("a date");
        let date = jiff::fmt::rfc2822::parse(date).expect("a date");
        let age = date.timestamp().as_second() - jiff::Timestamp::now().as_second();
        assert!(age.abs() < 120, "{response:?}");
    }
}

/// A proxy answers 502 where the connection breaks within an upload, as this client does.
#[test]
fn a_client_that_sends_a_large_body_to_its_end_sees_that_it_was_too_large() {
    const BYTES: usize = 18 << 20;

    let host = setup_with_small_bodies().start();
    let request = post("/encrypt", vec![b'x'; BYTES]);
    for _ in 0..5 {
        let mut connection = host.connect();
        connection
            .try_write(&request.bytes())
            .expect("all of it is taken");
        check_problem(
            &connection.receive(),
            413,
            &["the request body is too large"],
        );
    }
}

fn setup_with_small_bodies() -> Setup {
    app().flag("--max-request-body", "1MiB")
}

/// A client that resets a stream, with any code, has not completed its request: a guest that read
/// it as complete would store half of an upload.
#[test]
fn a_request_of_http2_that_is_reset_before_its_end_reaches_no_guest_as_a_whole_one() {
    let host = app().start();
    let body = r#"{"message":"a"}"#;
    let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
    client.send(&http2::begin()).expect("it reads");
    for (stream, code) in [(1, 0_u32), (3, 8), (5, 11), (7, 99)] {
        let json = [("content-type", "application/json")];
        let head = http2::head(stream, "POST", "/encrypt", &json, 0);
        let data = Frame::new("DATA", 0, stream, body).bytes();
        let ping = Frame::new("PING", 0, 0, [0; 8]).bytes();
        client.send(&[head, data, ping].concat()).expect("it reads");
        // The guest has read them, and waits for the rest.
        assert_eq!(client.event().expect("an answer"), Event::Pong(vec![0; 8]));
        let reset = Frame::new("RST_STREAM", 0, stream, code.to_be_bytes());
        client.send(&reset.bytes()).expect("it reads");
    }
    client
        .send(&http2::post(9, "/encrypt", body))
        .expect("it reads");
    let event = client.event().expect("an answer");
    assert!(
        matches!(&event, Event::Response(9, response) if response.status == 200),
        "{event:?}"
    );
    assert_eq!(host.audit_entries().len(), 1);
}
