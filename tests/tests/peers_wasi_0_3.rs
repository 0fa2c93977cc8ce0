//! On the other host, the composition for WASI 0.3 gives the answers of the one for WASI 0.2.
//!
//! `http-service-guest/README.md` has the one difference: the reason of an incomplete body.

use end_to_end::Peer;
use end_to_end::artifacts::component;
use end_to_end::cases::{Case, check_problem, check_result};
use end_to_end::client::{Request, Response, chunk, encrypt, json, post};

use crate::peers::answer;

/// Both compositions on the other host, without a flag.
struct Both {
    wasi_0_2: Peer,
    wasi_0_3: Peer,
}

impl Both {
    fn serve() -> Self {
        let serve = |name| Peer::serve(component(name), &[]);
        Self {
            wasi_0_2: serve("app-closed"),
            wasi_0_3: serve("app-0.3-closed"),
        }
    }

    /// Both answers to a request that `exchange` sends.
    fn ask(&self, exchange: impl Fn(&Peer) -> Response) -> [Response; 2] {
        [&self.wasi_0_2, &self.wasi_0_3].map(exchange)
    }

    /// The answer of both to a request that `exchange` sends.
    fn equal_answer(&self, exchange: impl Fn(&Peer) -> Response) -> Response {
        let [earlier, later] = self.ask(exchange);
        // Not `assert_eq`, because a message may have a megabyte.
        assert!(answer(&earlier) == answer(&later), "{earlier:?}, {later:?}");
        later
    }
}

fn check(case: &Case) {
    case.check(&Both::serve().equal_answer(|peer| peer.send(&case.request)));
}

end_to_end::test_each_case!(check);

/// Sends a request with this chunked body, in chunks of 50,000 bytes.
fn send_chunked(peer: &Peer, body: &[u8]) -> Response {
    let mut connection = peer.connect();
    connection.write(&post("/encrypt", "").chunked().head());
    for part in body.chunks(50_000).chain([&b""[..]]) {
        connection.write(&chunk(part));
    }
    connection.receive()
}

#[test]
fn a_message_of_1_mib_is_encrypted_in_chunks_or_with_a_declared_length() {
    let both = Both::serve();
    let message = "a".repeat(1024 * 1024);
    let body = json(&message);
    let expected = "d".repeat(1024 * 1024);
    check_result(
        &both.equal_answer(|peer| peer.send(&encrypt(&message))),
        &expected,
    );
    let response = both.equal_answer(|peer| send_chunked(peer, body.as_bytes()));
    check_result(&response, &expected);
}

#[test]
fn a_message_and_a_body_beyond_their_limits_are_413() {
    let both = Both::serve();
    let message = "a".repeat(1024 * 1024 + 1);
    let response = both.equal_answer(|peer| peer.send(&encrypt(&message)));
    check_problem(&response, 413, &["1048576"]);
    let declared = post("/encrypt", "").header("content-length", "1049601");
    let response = both.equal_answer(|peer| {
        let mut connection = peer.connect();
        connection.write(&declared.head());
        connection.receive()
    });
    check_problem(&response, 413, &["1049600"]);
}

#[test]
fn a_chunked_body_is_413_before_its_end() {
    let response = Both::serve().equal_answer(|peer| {
        let mut connection = peer.connect();
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
    let both = Both::serve();
    for peer in [&both.wasi_0_2, &both.wasi_0_3] {
        let mut connection = peer.connect();
        let unknown = connection.exchange(&Request::new("GET", "/"));
        check_problem(&unknown, 404, &["`/`"]);
        for _ in 0..3 {
            check_result(&connection.exchange(&encrypt("a")), "d");
        }
    }
}

#[test]
fn an_incomplete_body_is_400_and_only_the_reason_differs() {
    let both = Both::serve();
    let answers = both.ask(|peer| {
        let mut connection = peer.connect();
        let longer = post("/encrypt", json("a")).header("content-length", "100");
        connection.write(&longer.head());
        connection.write(json("a").as_bytes());
        connection.end().expect("a half-closed connection");
        connection.receive()
    });
    for answer in &answers {
        check_problem(answer, 400, &["the body ended before it was complete: "]);
    }
    let detail = answers[1].json()["detail"].to_string();
    assert!(detail.contains("ErrorCode::"), "{detail}");
}
