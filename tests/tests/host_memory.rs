//! Memory that the server holds for guests: `--max-host-memory`, and all limits together.
#![cfg(target_os = "linux")]

mod wasi_0_3;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use end_to_end::cases::check_problem;
use end_to_end::client::{Request, Response};
use end_to_end::stress::hostile::{Behaviour, Repeat, Server, table};
use end_to_end::{Setup, TestHost};

const MIB: u64 = 1 << 20;

/// Memory that the server may hold for one instance with the flags below: its memories, its host
/// memory (16 MiB by default), one call (the bytes that the guest passes, and a copy), its handles.
const ONE_INSTANCE: u64 = 16 * MIB + 16 * MIB + 2 * MIB + 10_000 * 512;

/// Unused memory of the allocator, and the rest of the server.
const SLACK: u64 = 16 * MIB;

/// A server of the hostile guest with the flags that `more` adds.
fn serve(more: impl FnOnce(Setup) -> Setup) -> TestHost {
    more(limited(TestHost::serve_guest("keeper"))).start()
}

/// The limits of one instance.
fn limited(setup: Setup) -> Setup {
    setup
        .flag("--threads", "1")
        .flag("--max-memory", "16MiB")
        .flag("--max-hostcall-memory", "1MiB")
        .flag("--request-timeout", "600")
        .flag("--cpu-timeout", "600")
        .flag("--audit", "none")
}

/// Sends a request for `path`. Panics as soon as the server has more memory than one instance
/// allows.
fn send(host: &TestHost, path: &str) -> Response {
    send_after(host, "/jd", path)
}

/// Like [`send`], after a request for the path `first`, whose guest keeps nothing.
fn send_after(host: &TestHost, first: &str, path: &str) -> Response {
    // The server keeps its first allocations.
    let first = host.send(&Request::new("GET", first));
    assert_eq!((first.status, &*first.text()), (200, "kept"));
    let limit = host.anonymous_bytes() + ONE_INSTANCE + SLACK;
    let mut client = host.connect();
    client.write(&Request::new("GET", path).bytes());
    let response = host.holds_at_most(limit, || client.receive_if_any());
    response.unwrap_or_else(|| panic!("{path}: no response"))
}

/// Paths whose guest traps: it does each of these 9,000 times without dropping a handle.
const TRAPPING: [&str; 9] = ["/b", "/c", "/d", "/e", "/f", "/g", "/i", "/o", "/p"];
/// Paths whose guest is answered: the strings are shorter than RFC 9110 and RFC 3986 require, or
/// the call fails, or each is a KiB.
const ANSWERED: [&str; 4] = ["/a", "/h", "/j", "/k"];

/// Checks that the guest at `path` traps, and that the log names the flag.
fn check_traps(host: &TestHost, path: &str) {
    check_limit_in_log(host, &send(host, path));
}

/// Checks that a guest has trapped, and that the log names the flag.
fn check_limit_in_log(host: &TestHost, response: &Response) {
    check_problem(response, 500, &["the guest failed"]);
    let id = response.header("x-request-id").expect("an id");
    let _ = host.log().wait_for_entry(&[id, "--max-host-memory"]);
}

#[test]
fn max_host_memory_traps_a_guest_beyond_it_with_500() {
    let host = serve(|setup| setup);
    for path in TRAPPING {
        check_traps(&host, path);
    }
}

/// The server is full: the guest is not at fault, and a later request can succeed.
#[test]
fn max_total_memory_counts_host_memory_and_answers_503() {
    let host = serve(|setup| {
        setup
            .flag("--max-host-memory", "1GiB")
            .flag("--max-total-memory", "160MiB")
    });
    // The default limit is four fifths of the memory. The rest is, among others, for memory that
    // the allocator has not returned yet.
    let limit = 160 * MIB / 4 * 5;
    for path in ["/b", "/c", "/d", "/e", "/f", "/g", "/i"] {
        let mut client = host.connect();
        client.write(&Request::new("GET", path).bytes());
        let response = host.holds_at_most(limit, || client.receive_if_any());
        let response = response.unwrap_or_else(|| panic!("{path}: no response"));
        check_problem(&response, 503, &["overloaded"]);
        assert_eq!(response.header("retry-after"), Some("1"), "{path}");
        let id = response.header("x-request-id").expect("an id");
        let _ = host.log().wait_for_entry(&[id, "--max-total-memory"]);
    }
    // Nothing is held after their end.
    let mut client = host.connect();
    for _ in 0..20 {
        assert_eq!(client.exchange(&Request::new("GET", "/jd")).status, 200);
    }
}

#[test]
fn max_host_memory_has_room_for_long_methods_and_authorities() {
    let host = serve(|setup| setup);
    for path in ANSWERED {
        let response = send(&host, path);
        assert_eq!(
            (response.status, &*response.text()),
            (200, "kept"),
            "{path}"
        );
    }
}

#[test]
fn max_host_memory_counts_only_handles_that_are_not_dropped() {
    let host = serve(|setup| setup);
    for path in [
        "/ad", "/bd", "/cd", "/dd", "/ed", "/hd", "/id", "/jd", "/kd",
    ] {
        let response = send(&host, path);
        assert_eq!(
            (response.status, &*response.text()),
            (200, "kept"),
            "{path}"
        );
    }
}

/// Answers a request of a guest with this response.
fn answer(mut stream: TcpStream, response: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut part = [0; 4096];
        // The guest may have ended.
        match stream.read(&mut part) {
            Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
            _ => return,
        }
    }
    let _ = stream.write_all(response.as_bytes());
}

/// The authority of a server that gives this response to every request, until the process ends.
fn upstream(response: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, &response);
        }
    });
    address.to_string()
}

/// A head and trailers of nearly the maximum size.
#[test]
fn max_host_memory_counts_requests_and_responses_of_other_servers() {
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n", "a".repeat(60_000));
    let trailer = "a".repeat(15_000);
    let large_head = upstream(format!("{head}content-length: 0\r\n\r\n"));
    let large_trailers = upstream(format!(
        "{head}trailer: y\r\ntransfer-encoding: chunked\r\n\r\n0\r\ny: {trailer}\r\n\r\n"
    ));
    let host = serve(|setup| {
        let allow = |setup: Setup, authority: &String| {
            setup.flag("--allow-outbound", format!("http://{authority}"))
        };
        // So small that fewer connections exceed it.
        let setup = setup.flag("--max-host-memory", "4MiB");
        [&large_head, &large_trailers]
            .into_iter()
            .fold(setup, allow)
    });
    for (case, authority) in [
        ("l", &large_head),
        ("m", &large_head),
        ("n", &large_trailers),
    ] {
        check_traps(&host, &format!("/{case}/{authority}"));
    }
}

/// Hostile guests against the limits of one instance in docs/guide/limits.md, one at a time.
#[test]
fn hostile_guests_hold_no_more_than_the_limits_of_one_instance() {
    /// With the limits of [`Server`]: memories, host memory, contexts, stack, handles, two of one
    /// call, tables, and the response.
    const ONE_INSTANCE: u64 = (32 + 16 + 8 + 2 + 1 + 2 + 1 + 2) * MIB;
    const NAMES: [&str; 36] = [
        "grow-and-touch",
        "hold-memory",
        "grow-for-ever",
        "grow-too-much",
        "table-grow",
        "table-for-ever",
        "recurse",
        "leak-fields",
        "leak-pollables",
        "leak-streams",
        "leak-responses",
        "list-huge",
        "random-for-ever",
        "poll-many",
        "poll-the-same",
        "print-for-ever",
        "print-without-lines",
        "print-much-at-once",
        "header-many",
        "header-huge",
        "trailer-many",
        "write-for-ever",
        // For WASI 0.3.
        "waits-for-ever",
        "streams-for-ever",
        "futures-for-ever",
        "sets-for-ever",
        "spawn-for-ever",
        "cancel-for-ever",
        "outputs-for-ever",
        "send-and-keep",
        "write-huge",
        "keep-from-list",
        "keep-path",
        "keep-authority",
        "keep-request",
        "keep-response",
    ];

    let server = Server::start(5);
    let repeat = Repeat {
        address: server.address(),
        runs: 1,
        at_once: 1,
        pause: Duration::ZERO,
    };
    let is_named = |behaviour: &&Behaviour| NAMES.contains(&behaviour.name);
    let chosen: Vec<_> = table().iter().filter(is_named).copied().collect();
    assert!(chosen.len() >= NAMES.len());
    let host = server.host();
    let limit = host.anonymous_bytes() + ONE_INSTANCE + SLACK;
    let outcome = host.holds_at_most(limit, || repeat.run(&chosen));
    assert!(outcome.unexpected.is_empty(), "{:?}", outcome.unexpected);
}
