//! `experiments/http-gate`: a gate and a logger around the cipher service.

use end_to_end::TestHost;
use end_to_end::artifacts::experiment;
use end_to_end::cases::{check_problem, check_result};
use end_to_end::client::{Request, encrypt, json, post};

use super::printed;

const TOKEN: &str = "open-sesame";

fn gated() -> TestHost {
    TestHost::serve(experiment("http-gate", "gated"))
        .env("BEARER_TOKEN", TOKEN)
        .start()
}

#[test]
fn a_request_with_the_token_gets_to_the_service() {
    let request = encrypt("hello world").bearer(TOKEN);
    check_result(&gated().send(&request), "khoor zruog");
}

#[test]
fn a_large_body_passes_the_gate_as_it_is() {
    let request = encrypt(&"a".repeat(1 << 20)).bearer(TOKEN);
    check_result(&gated().send(&request), &"d".repeat(1 << 20));
}

#[test]
fn what_the_service_refuses_it_refuses_behind_the_gate_too() {
    let request = Request::new("GET", "/nowhere").bearer(TOKEN);
    check_problem(&gated().send(&request), 404, &["`/nowhere`"]);
}

#[test]
fn a_request_without_the_token_is_challenged() {
    let host = gated();
    for request in [
        encrypt("hello"),
        encrypt("hello").header("authorization", "Bearer open-sesam"),
        encrypt("hello").header("authorization", "Bearer open-sesame2"),
        encrypt("hello").header("authorization", "Basic open-sesame"),
        encrypt("hello").header("authorization", ""),
    ] {
        let response = host.send(&request);
        check_problem(&response, 401, &["Authorization"]);
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
    }
}

#[test]
fn a_gate_without_a_token_rejects_every_request() {
    let gate = || TestHost::serve(experiment("http-gate", "gated"));
    for host in [gate().start(), gate().env("BEARER_TOKEN", "").start()] {
        let response = host.send(&encrypt("hello").header("authorization", "Bearer "));
        check_problem(&response, 500, &["BEARER_TOKEN"]);
    }
}

#[test]
fn the_logger_prints_method_and_path_and_no_secret() {
    let host = gated();
    let request = post("/encrypt?key=query-secret", json("body-secret"));
    assert_eq!(host.send(&request.bearer(TOKEN)).status, 200);
    let request = Request::new("DELETE", "/a%20b");
    assert_eq!(host.send(&request.bearer(TOKEN)).status, 404);
    assert_eq!(printed(host), ["POST /encrypt", "DELETE /a%20b"]);
}

#[test]
fn the_logger_sees_nothing_of_what_the_gate_refuses() {
    let host = gated();
    assert_eq!(host.send(&encrypt("hello")).status, 401);
    assert!(printed(host).is_empty());
}
