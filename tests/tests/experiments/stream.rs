//! `experiments/stream`: events one by one, and an echo in lock-step, on both hosts.

use std::path::Path;
use std::time::{Duration, Instant};

use end_to_end::artifacts::experiment;
use end_to_end::cases::check_problem;
use end_to_end::client::{Connection, Request, Response, chunk, get, post};
use end_to_end::{Peer, Setup, TestHost};

/// The time between two events.
const INTERVAL: Duration = Duration::from_millis(100);

/// A server with the flags that a client needs which waits for each chunk to come back: the guest
/// starts before the body is there.
pub(crate) fn without_body_buffer(component: &Path) -> Setup {
    let setup = TestHost::serve(component).flag("--body-buffer", "0");
    setup.flag("--min-body-rate", "0")
}

/// The service on `component-runner` and on the other host.
struct Both {
    host: TestHost,
    peer: Peer,
}

impl Both {
    fn serve() -> Self {
        let app = experiment("stream", "app");
        Self {
            host: without_body_buffer(&app).start(),
            peer: Peer::serve(&app, &[]),
        }
    }

    fn connections(&self) -> [Connection; 2] {
        [self.host.connect(), self.peer.connect()]
    }

    fn responses(&self, request: &Request) -> [Response; 2] {
        [self.host.send(request), self.peer.send(request)]
    }
}

/// Sends chunks on a connection with the head of a request to `/echo`, each after the previous one
/// has come back, and ends the body.
pub(crate) fn echo_in_lock_step(connection: &mut Connection) {
    for part in ["part-1", "part-2", "part-3"] {
        connection.write(&chunk(part.as_bytes()));
        let received = connection.receive_until(part);
        let is_first = part == "part-1";
        assert_eq!(received.starts_with("HTTP/1.1 200"), is_first, "{received}");
    }
    connection.write(&chunk(b""));
    let end = connection.receive_until("0\r\n\r\n");
    assert_eq!(end, "\r\n0\r\n\r\n");
}

#[test]
fn events_arrive_one_by_one() {
    for mut connection in Both::serve().connections() {
        let start = Instant::now();
        connection.write(&get("/events?count=4").head());
        let mut arrivals = Vec::new();
        for number in 1..=4 {
            let event = format!("id: {number}\ndata: event {number} of 4\n\n");
            let received = connection.receive_until(&event);
            let has_head = received.contains("content-type: text/event-stream\r\n");
            assert_eq!(has_head, number == 1, "{received}");
            arrivals.push(start.elapsed());
        }
        let _ = connection.receive_until("0\r\n\r\n");
        // The last event cannot arrive earlier, and all of them would arrive together with it if
        // the response were not streamed.
        let (first, last) = (arrivals[0], arrivals[3]);
        assert!(last >= 3 * INTERVAL, "{arrivals:?}");
        assert!(last >= first + INTERVAL, "{arrivals:?}");
    }
}

#[test]
fn events_without_a_count_are_five() {
    for response in Both::serve().responses(&get("/events")) {
        assert_eq!(response.status, 200, "{response:?}");
        assert!(response.is_complete);
        assert_eq!(response.text().matches("data: ").count(), 5, "{response:?}");
    }
}

#[test]
fn a_client_that_disconnects_does_not_stop_the_service() {
    let both = Both::serve();
    for mut connection in both.connections() {
        connection.write(&get("/events?count=1000").head());
        let _ = connection.receive_until("event 1 of 1000\n\n");
    }
    for response in both.responses(&get("/events?count=1")) {
        assert_eq!(response.text(), "id: 1\ndata: event 1 of 1\n\n");
    }
}

#[test]
fn an_invalid_count_and_an_unknown_path_are_problems() {
    let both = Both::serve();
    for response in both.responses(&get("/events?count=0")) {
        check_problem(&response, 400, &["`count`", "1000"]);
    }
    for response in both.responses(&get("/")) {
        check_problem(&response, 404, &["`/events`", "`/echo`"]);
    }
}

#[test]
fn each_chunk_comes_back_before_the_next_is_sent() {
    for mut connection in Both::serve().connections() {
        connection.write(&post("/echo", "").chunked().head());
        echo_in_lock_step(&mut connection);
    }
}

#[test]
fn an_incomplete_request_makes_an_incomplete_response() {
    for mut connection in Both::serve().connections() {
        connection.write(&post("/echo", "").chunked().head());
        connection.write(&chunk(b"part-1"));
        let _ = connection.receive_until("part-1");
        connection.end().expect("a half-closed connection");
        let rest = connection.rest().expect("the end of the connection");
        // Without the last chunk, which is `0`.
        assert_eq!(String::from_utf8_lossy(&rest), "\r\n");
    }
}

#[test]
fn a_large_body_comes_back_unchanged() {
    // Sockets hold all of it, because the client sends it before it receives.
    let body: Vec<u8> = (0..=250).cycle().take(256 * 1024).collect();
    for response in Both::serve().responses(&post("/echo", body.clone())) {
        assert_eq!(response.status, 200);
        // Not `assert_eq`, because the body is long.
        assert!(response.is_complete && response.body == body);
    }
}
