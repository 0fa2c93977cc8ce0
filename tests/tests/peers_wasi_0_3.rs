//! The composition for WASI 0.3 gives the answers of the one for WASI 0.2, here and on the other host.
//!
//! `http-service-guest/README.md` has the one difference: the reason of an incomplete body.

use end_to_end::artifacts::component;
use end_to_end::cases::{Case, check_problem, check_result};
use end_to_end::client::{Connection, Request, Response, chunk, encrypt, json, post};
use end_to_end::{Peer, TestHost};

use crate::peers::answer;

/// Both compositions on both hosts, on the other one without a flag.
struct Servers {
    peers: [Peer; 2],
    hosts: [TestHost; 2],
}

impl Servers {
    fn start() -> Self {
        let names = ["app-closed", "app-0.3-closed"];
        // Guests read their bodies themselves, as on the other host.
        let host = |name| TestHost::serve(component(name)).flag("--body-buffer", "0");
        Self {
            peers: names.map(|name| Peer::serve(component(name), &[])),
            hosts: names.map(|name| host(name).start()),
        }
    }

    /// The answers of both compositions on the other host, and then here, to a request that
    /// `exchange` sends.
    fn ask(&self, exchange: impl Fn(Connection) -> Response) -> [Response; 4] {
        let [peer_0_2, peer_0_3] = &self.peers;
        let [host_0_2, host_0_3] = &self.hosts;
        [
            exchange(peer_0_2.connect()),
            exchange(peer_0_3.connect()),
            exchange(host_0_2.connect()),
            exchange(host_0_3.connect()),
        ]
    }

    /// The answer of all to a request that `exchange` sends.
    fn equal_answer(&self, exchange: impl Fn(Connection) -> Response) -> Response {
        let answers = self.ask(exchange);
        let [first, .., last] = &answers;
        for other in &answers {
            // Not `assert_eq`, because a message may have a megabyte.
            assert!(answer(first) == answer(other), "{first:?}, {other:?}");
        }
        last.clone()
    }
}

fn check(case: &Case) {
    let servers = Servers::start();
    case.check(&servers.equal_answer(|mut connection| connection.exchange(&case.request)));
}

end_to_end::test_each_case!(check);

/// Sends a request with this chunked body, in chunks of 50,000 bytes.
fn send_chunked(mut connection: Connection, body: &[u8]) -> Response {
    connection.write(&post("/encrypt", "").chunked().head());
    for part in body.chunks(50_000).chain([&b""[..]]) {
        connection.write(&chunk(part));
    }
    connection.receive()
}

#[test]
fn a_message_of_1_mib_is_encrypted_in_chunks_or_with_a_declared_length() {
    let servers = Servers::start();
    let message = "a".repeat(1024 * 1024);
    let body = json(&message);
    let expected = "d".repeat(1024 * 1024);
    let whole = encrypt(&message);
    let response = servers.equal_answer(|mut connection| connection.exchange(&whole));
    check_result(&response, &expected);
    let response = servers.equal_answer(|connection| send_chunked(connection, body.as_bytes()));
    check_result(&response, &expected);
}

#[test]
fn a_message_and_a_body_beyond_their_limits_are_413() {
    let servers = Servers::start();
    let message = encrypt(&"a".repeat(1024 * 1024 + 1));
    let response = servers.equal_answer(|mut connection| connection.exchange(&message));
    check_problem(&response, 413, &["1048576"]);
    let declared = post("/encrypt", "").header("content-length", "1049601");
    let response = servers.equal_answer(|mut connection| {
        connection.write(&declared.head());
        connection.receive()
    });
    check_problem(&response, 413, &["1049600"]);
}

#[test]
fn a_chunked_body_is_413_before_its_end() {
    let response = Servers::start().equal_answer(|mut connection| {
        connection.write(&post("/encrypt", "").chunked().head());
        // The last chunk is never sent.
        let part = chunk(&vec![b' '; 64 * 1024]);
        for _ in 0..17 {
            connection.write(&part);
        }
        connection.receive()
    });
    check_problem(&response, 413, &["1049600"]);
}

#[test]
fn requests_on_one_connection_are_answered_in_order() {
    let _answers = Servers::start().ask(|mut connection| {
        let unknown = connection.exchange(&Request::new("GET", "/"));
        check_problem(&unknown, 404, &["`/`"]);
        for _ in 0..3 {
            check_result(&connection.exchange(&encrypt("a")), "d");
        }
        unknown
    });
}

#[test]
fn an_incomplete_body_is_400_and_only_the_reason_differs() {
    let answers = Servers::start().ask(|mut connection| {
        let longer = post("/encrypt", json("a")).header("content-length", "100");
        connection.write(&longer.head());
        connection.write(json("a").as_bytes());
        connection.end().expect("a half-closed connection");
        connection.receive()
    });
    for answer in &answers {
        check_problem(answer, 400, &["the body ended before it was complete: "]);
    }
    let [_, peer_0_3, _, host_0_3] = &answers;
    for answer in [peer_0_3, host_0_3] {
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains("ErrorCode::"), "{detail}");
    }
}
