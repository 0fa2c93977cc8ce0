//! Requests that a guest of WASI 0.3 sends.

mod errors;
mod forwarded;
mod limits;
mod requests;

use std::fmt::Display;

use end_to_end::client::{Request, Response};
use end_to_end::operators::Operators;
use end_to_end::upstream::{Arrival, Upstream};
use end_to_end::{Setup, TestHost};

use super::guest;

const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// The command line of a server whose guests may send requests to this address.
fn allowing(address: impl Display) -> Setup {
    guest().flag("--allow-outbound", format!("http://{address}"))
}

/// A server whose guests may send two requests at a time to `upstream`.
fn serve(upstream: &Upstream) -> (TestHost, Operators) {
    allowing(upstream.authority())
        .flag("--max-outbound", "2")
        .flag("--cpu-timeout", "1")
        .flag("--request-timeout", "600")
        .start_with_operators()
}

/// The path of a guest with this behaviour, whose own request goes to `path` of `upstream`.
fn to(behaviour: &str, upstream: &Upstream, path: &str) -> String {
    format!("/{behaviour}?{}{path}", upstream.authority())
}

/// Sends a request whose guest sends one to `upstream`, which `answer` plays.
fn exchange(
    host: &TestHost,
    request: &Request,
    upstream: &Upstream,
    answer: impl FnOnce(Arrival),
) -> Response {
    let mut client = host.connect();
    client.write(&request.bytes());
    answer(upstream.receive());
    client.receive()
}
