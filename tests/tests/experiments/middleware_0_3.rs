//! `experiments/middleware-0.3`: a logger and a gate of WASI 0.3 around the cipher service.

use end_to_end::artifacts::experiment;
use end_to_end::cases::{check_problem, check_result};
use end_to_end::client::{Request, encrypt, json, post};
use end_to_end::{Peer, TestHost};

use super::printed;
use super::stream::{echo_in_lock_step, without_body_buffer};

const TOKEN: &str = "open-sesame";

fn serve(name: &str) -> TestHost {
    TestHost::serve(experiment("middleware-0.3", name))
        .env("BEARER_TOKEN", TOKEN)
        .start()
}

#[test]
fn a_request_with_the_token_reaches_the_service_of_0_3() {
    let request = encrypt("hello world").bearer(TOKEN);
    check_result(&serve("gated").send(&request), "khoor zruog");
}

#[test]
fn a_large_body_passes_both_middlewares_unchanged() {
    let request = encrypt(&"a".repeat(1 << 20)).bearer(TOKEN);
    check_result(&serve("gated").send(&request), &"d".repeat(1 << 20));
}

#[test]
fn a_request_without_the_token_is_401_with_a_challenge() {
    let host = serve("gated");
    for request in [
        encrypt("hello"),
        encrypt("hello").header("authorization", "Bearer open-sesam"),
        encrypt("hello").header("authorization", "Basic open-sesame"),
    ] {
        let response = host.send(&request);
        check_problem(&response, 401, &["Authorization"]);
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
    }
}

#[test]
fn a_gate_of_0_3_without_bearer_token_rejects_every_request() {
    let host = TestHost::serve(experiment("middleware-0.3", "gated")).start();
    let response = host.send(&encrypt("hello").header("authorization", "Bearer "));
    check_problem(&response, 500, &["BEARER_TOKEN"]);
}

#[test]
fn the_logger_prints_method_path_and_status_and_no_secret() {
    let host = serve("gated");
    let request = post("/encrypt?key=query-secret", json("body-secret"));
    assert_eq!(host.send(&request.bearer(TOKEN)).status, 200);
    let request = Request::new("DELETE", "/a%20b");
    assert_eq!(host.send(&request.bearer(TOKEN)).status, 404);
    assert_eq!(host.send(&encrypt("hello")).status, 401);
    assert_eq!(
        printed(host),
        [
            "POST /encrypt 200",
            "DELETE /a%20b 404",
            "POST /encrypt 401"
        ]
    );
}

#[test]
fn bodies_stream_through_both_middlewares_in_lock_step() {
    let host = without_body_buffer(&experiment("middleware-0.3", "streamed"))
        .env("BEARER_TOKEN", TOKEN)
        .start();
    let mut connection = host.connect();
    connection.write(&post("/echo", "").bearer(TOKEN).chunked().head());
    echo_in_lock_step(&mut connection);
}

#[test]
fn closed_it_has_its_own_token_and_key_on_both_hosts() {
    let path = experiment("middleware-0.3", "closed");
    let host = TestHost::serve(&path)
        .env("BEARER_TOKEN", "another")
        .env("SHIFT_AMOUNT", "5")
        .start();
    let peer = Peer::serve(&path, &["-Scli"]);
    let request = encrypt("hello world").bearer(TOKEN);
    check_result(&host.send(&request), "khoor zruog");
    check_result(&peer.send(&request), "khoor zruog");
    let response = peer.send(&encrypt("hello"));
    check_problem(&response, 401, &["Authorization"]);
}
