//! `--principal-header`: a record has the principal of the proxy, or the request is refused.

use end_to_end::cases::{check_problem, check_result};
use end_to_end::client::Response;
use end_to_end::http2::{self, Client, END_HEADERS, Event, Frame, hpack};
use end_to_end::{DEADLINE, TestHost, app};
use serde_json::Value;

const BODY: &str = r#"{"message": "hello"}"#;

/// A version of HTTP.
#[derive(Debug, Clone, Copy)]
enum Version {
    Http1,
    Http2,
}

fn host() -> TestHost {
    app().flag("--principal-header", "x-user").start()
}

/// Sends a request with a field `x-user` for each of `users`.
fn send(host: &TestHost, version: Version, users: &[&[u8]]) -> Response {
    match version {
        Version::Http1 => send_http1(host, users),
        Version::Http2 => send_http2(host, users),
    }
}

fn send_http1(host: &TestHost, users: &[&[u8]]) -> Response {
    let length = BODY.len();
    let mut bytes = b"POST /encrypt HTTP/1.1\r\nhost: test\r\n".to_vec();
    for user in users {
        bytes.extend([b"x-user: ", *user, b"\r\n"].concat());
    }
    let rest = format!("content-type: application/json\r\ncontent-length: {length}\r\n\r\n{BODY}");
    bytes.extend(rest.as_bytes());
    let mut connection = host.connect();
    connection.write(&bytes);
    connection.receive()
}

fn send_http2(host: &TestHost, users: &[&[u8]]) -> Response {
    let length = BODY.len().to_string();
    let mut fields: Vec<(&[u8], &[u8])> = vec![
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/encrypt"),
        (b":authority", b"test"),
        (b"content-type", b"application/json"),
        (b"content-length", length.as_bytes()),
    ];
    fields.extend(users.iter().map(|user| (&b"x-user"[..], *user)));
    let head: Vec<u8> = fields
        .into_iter()
        .flat_map(|(name, value)| hpack::literal(name, value))
        .collect();
    let head = Frame::new("HEADERS", END_HEADERS, 1, head).bytes();
    let body = Frame::new("DATA", http2::END_STREAM, 1, BODY).bytes();
    let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
    client
        .send(&[http2::begin(), head, body].concat())
        .expect("it reads");
    loop {
        match client.event().expect("a response") {
            Event::Response(1, response) => return response,
            Event::Reset(..) | Event::Ended => panic!("no response"),
            _ => {}
        }
    }
}

/// The principals in the records of all entries.
fn recorded(host: &TestHost) -> Vec<Option<String>> {
    let principal = |record: &Value| {
        let name = record["host"]["request"].get("principal")?;
        Some(name.as_str().expect("a text").to_owned())
    };
    let entries = host.audit_entries();
    entries.iter().map(|entry| principal(&entry.json)).collect()
}

#[test]
fn several_principal_header_fields_are_400_and_run_no_guest() {
    for version in [Version::Http1, Version::Http2] {
        let host = host();
        for users in [
            [&b"mallory"[..], b"alice"],
            [b"", b"alice"],
            [b"alice", b""],
            [b"alice", b"alice"],
        ] {
            let response = send(&host, version, &users);
            check_problem(&response, 400, &["duplicate principal header"]);
        }
        assert_eq!(recorded(&host), [], "{version:?}");
    }
}

#[test]
fn an_unreadable_principal_header_is_400_and_runs_no_guest() {
    let long = "x".repeat(1025);
    for version in [Version::Http1, Version::Http2] {
        let host = host();
        for user in [&b"J\xfcrgen"[..], b"ali\xc3", b"a\tb", long.as_bytes()] {
            let response = send(&host, version, &[user]);
            check_problem(&response, 400, &["principal", "UTF-8"]);
        }
        assert_eq!(recorded(&host), [], "{version:?}");
    }
}

#[test]
fn one_principal_header_is_recorded_whole_also_with_commas_or_in_utf8() {
    let long = "x".repeat(1024);
    let names = [
        "alice",
        "Jürgen",
        "CN=Alice, O=Example",
        "mallory, alice",
        &long,
    ];
    for version in [Version::Http1, Version::Http2] {
        let host = host();
        for name in names {
            check_result(&send(&host, version, &[name.as_bytes()]), "khoor");
        }
        // An unauthenticated user.
        check_result(&send(&host, version, &[b""]), "khoor");
        check_result(&send(&host, version, &[]), "khoor");
        let expected = names.map(|name| Some(name.to_owned()));
        let expected: Vec<_> = expected.into_iter().chain([None, None]).collect();
        assert_eq!(recorded(&host), expected, "{version:?}");
    }
}
