//! Outbound requests. `guests/sender.wat` sends the request that its own path describes, and
//! answers with the response.

mod framing;
mod limits;
mod policy;
mod tls;

use end_to_end::client::{Connection, Request, Response};
use end_to_end::upstream::Upstream;
use end_to_end::{Setup, TestHost};

/// The error codes; the guest answers with an index in this list.
const ERROR_CODES: [&str; 39] = [
    "DNS-timeout",
    "DNS-error",
    "destination-not-found",
    "destination-unavailable",
    "destination-IP-prohibited",
    "destination-IP-unroutable",
    "connection-refused",
    "connection-terminated",
    "connection-timeout",
    "connection-read-timeout",
    "connection-write-timeout",
    "connection-limit-reached",
    "TLS-protocol-error",
    "TLS-certificate-error",
    "TLS-alert-received",
    "HTTP-request-denied",
    "HTTP-request-length-required",
    "HTTP-request-body-size",
    "HTTP-request-method-invalid",
    "HTTP-request-URI-invalid",
    "HTTP-request-URI-too-long",
    "HTTP-request-header-section-size",
    "HTTP-request-header-size",
    "HTTP-request-trailer-section-size",
    "HTTP-request-trailer-size",
    "HTTP-response-incomplete",
    "HTTP-response-header-section-size",
    "HTTP-response-header-size",
    "HTTP-response-body-size",
    "HTTP-response-trailer-section-size",
    "HTTP-response-trailer-size",
    "HTTP-response-transfer-coding",
    "HTTP-response-content-coding",
    "HTTP-response-timeout",
    "HTTP-upgrade-failed",
    "HTTP-protocol-error",
    "loop-detected",
    "configuration-error",
    "internal-error",
];

/// A server whose guests may send requests to these origins.
fn sender(allowed: &[&str]) -> TestHost {
    with(allowed, |setup| setup)
}

fn with(allowed: &[&str], more: impl FnOnce(Setup) -> Setup) -> TestHost {
    let setup = TestHost::serve_guest("sender");
    let allow = |setup: Setup, origin: &&str| setup.flag("--allow-outbound", origin);
    more(allowed.iter().fold(setup, allow)).start()
}

/// A server whose guests may send requests to `upstream` only.
fn sender_to(upstream: &Upstream) -> TestHost {
    sender(&[&origin(upstream)])
}

fn origin(upstream: &Upstream) -> String {
    format!("http://{}", upstream.authority())
}

/// A request to a guest that describes its own one. `how` is the number of requests, and an option.
fn order(how: &str, url: &str) -> Request {
    let path = url.replacen("://", "/", 1);
    Request::new("GET", &format!("/{how}/{path}"))
}

/// Starts an outbound request while the test continues.
fn begin(host: &TestHost, how: &str, url: &str) -> Connection {
    let mut connection = host.connect();
    connection.write(&order(how, url).bytes());
    connection
}

/// The error code with which the guest answers.
fn error_code(response: &Response) -> &'static str {
    assert_eq!(response.status, 502, "{response:?}");
    let number = str::from_utf8(&response.body).expect("digits");
    ERROR_CODES[number.parse::<usize>().expect("a number")]
}

/// The result of a guest for a request to `url`.
fn refusal(host: &TestHost, url: &str) -> &'static str {
    error_code(&host.send(&order("1", url)))
}
