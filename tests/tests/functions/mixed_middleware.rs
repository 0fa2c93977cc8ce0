//! Middleware for another version of WASI than the function, which the server connects.

use std::fs;
use std::path::Path;

use end_to_end::artifacts::{component, experiment, test_guest};
use end_to_end::client::{Request, encrypt, get, post};
use end_to_end::guests::Guest;
use end_to_end::operators::{Operators, TOKEN};
use end_to_end::{Setup, TestHost, wait};

use super::admin::Place;
use super::deploys::events;
use crate::experiments::stream::echo_in_lock_step;

/// A middleware for WASI 0.2 and one for WASI 0.3, with the same behaviour.
const LOGGERS: [&str; 2] = ["request-logger", "logger-middleware"];
const GATES: [&str; 2] = ["bearer-gate", "gate-middleware"];

/// A server with one function `f` behind middleware.
fn serve(component: &Path, middleware: &[&str]) -> (Place, Setup) {
    let place = Place::new();
    fs::copy(component, place.folder.join("f.wasm")).expect("a copy");
    for name in middleware {
        let file = place.folder.join(&format!("{name}.wasm"));
        fs::copy(experiment("parts", name), file).expect("a copy");
    }
    let middleware: Vec<_> = middleware
        .iter()
        .map(|name| format!("\"{name}.wasm\""))
        .collect();
    let setup = place.with_file(&format!(
        r#"
        [[function]]
        name = "f"
        component = "f.wasm"
        middleware = [{}]
        env = {{ BEARER_TOKEN = "{TOKEN}" }}
        "#,
        middleware.join(", ")
    ));
    (place, setup)
}

/// Waits until the function is served.
fn start(setup: Setup) -> (TestHost, Operators) {
    let host = setup.start();
    let operators = Operators::of(&host);
    operators.wait_until_ready("ready\n");
    (host, operators)
}

fn to_function(path: &str, request: Request) -> Request {
    request.path(format!("/f{path}"))
}

#[test]
fn a_gate_of_either_version_guards_a_function_of_either_version() {
    for app in ["app", "app-0.3"] {
        for gate in GATES {
            let (_place, setup) = serve(&component(app), &[gate]);
            let (host, _) = start(setup);
            let request = to_function("/encrypt", encrypt("hello world"));
            assert_eq!(host.send(&request).status, 401, "{gate} before {app}");
            let response = host.send(&request.bearer(TOKEN));
            assert_eq!(response.status, 200, "{gate} before {app}: {response:?}");
            assert_eq!(response.json()["result"], "khoor zruog");
        }
    }
}

#[test]
fn every_segment_of_a_chain_is_recorded_when_it_is_loaded() {
    let chain = ["request-logger", "logger-middleware", "bearer-gate"];
    let (_place, setup) = serve(&component("app-0.3"), &chain);
    let (host, _) = start(setup);
    let request = to_function("/encrypt", encrypt("hello world").bearer(TOKEN));
    assert_eq!(host.send(&request).json()["result"], "khoor zruog");
    let loaded = events(&host, "component-load");
    let versions: Vec<_> = loaded
        .iter()
        .map(|record| record["event"]["wasi"].as_str().expect("a version"))
        .collect();
    assert_eq!(versions, ["0.2", "0.3", "0.2", "0.3"]);
    // The entry of the cipher is in the name of the segment that wrote it, and of the request.
    let entries = host.audit_entries();
    assert_eq!(entries.len(), 1, "{entries:?}");
    let entry = &entries[0].json;
    let last = loaded.last().expect("a record");
    assert_eq!(entry["host"]["component"], last["host"]["component"]);
    assert_eq!(entry["host"]["request"]["path"], "/f/encrypt");
}

#[test]
fn a_chain_streams_in_both_directions() {
    let streamer = experiment("parts", "streamer");
    let chain = ["request-logger", "logger-middleware", "request-logger"];
    let (_place, setup) = serve(&streamer, &chain);
    let setup = setup
        .flag("--body-buffer", "0")
        .flag("--min-body-rate", "0");
    let (host, operators) = start(setup);
    let mut connection = host.connect();
    connection.write(&post("/f/echo", "").chunked().head());
    echo_in_lock_step(&mut connection);
    connection.write(&get("/f/events?count=1000").head());
    let _ = connection.receive_until("event 2 of 1000");
    drop(connection);
    // The client has left in the middle, and all guests with it.
    operators
        .wait_until_zero(&["pool_core_instances", "pool_memories", "pool_stacks"])
        .expect("an empty pool");
}

#[test]
fn a_failed_next_handler_is_a_failure_of_the_chain() {
    let hostile = Guest::assemble("hostile");
    for (guest, middleware) in [
        (test_guest("hostile-03"), LOGGERS[0]),
        (hostile.path(), LOGGERS[1]),
    ] {
        let (_place, setup) = serve(&guest, &[middleware]);
        let setup = setup
            .flag("--request-timeout", "1")
            .flag("--cpu-timeout", "0.5");
        let (host, operators) = start(setup);
        let get = |path: &str| host.send(&get(path));
        assert_eq!(get("/f/good").status, 200, "{middleware}");
        for (path, statuses) in [
            ("/f/trap", &[500][..]),
            ("/f/spin", &[500, 504]),
            ("/f/loop", &[500, 504]),
            ("/f/never", &[500, 504]),
        ] {
            let response = get(path);
            if response.status != 404 {
                let status = response.status;
                assert!(
                    statuses.contains(&status),
                    "{path} {middleware}: {response:?}"
                );
            }
            assert_eq!(get("/f/good").status, 200, "{middleware}");
        }
        operators
            .wait_until_zero(&["pool_core_instances", "pool_memories"])
            .expect("an empty pool");
    }
}

#[test]
fn a_middleware_that_never_forwards_is_rejected_and_the_function_stays_closed() {
    let (place, setup) = serve(&component("app"), &[]);
    fs::copy(component("app-0.3"), place.folder.join("gate.wasm")).expect("a copy");
    drop(setup);
    let setup = place.with_file(
        r#"
        [[function]]
        name = "f"
        component = "f.wasm"
        middleware = ["gate.wasm"]
        "#,
    );
    let host = setup.start();
    let _ = host
        .log()
        .wait_for_entry(&["function rejected", "never forwards a request"]);
    let request = to_function("/encrypt", encrypt("hello world"));
    wait::until("the function is not served", || {
        match host.send(&request).status {
            404 => Ok(()),
            other => Err(other.to_string()),
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_request_whose_entry_is_refused_is_503_whatever_its_middleware_responds() {
    for (app, logger) in [("app-0.3", LOGGERS[0]), ("app", LOGGERS[1])] {
        let (_place, setup) = serve(&component(app), &[logger]);
        let (host, _) = start(setup);
        let request = to_function("/encrypt", encrypt("hello"));
        assert_eq!(host.send(&request).status, 200);
        host.allow_writes(false);
        assert_eq!(host.send(&request).status, 503, "{logger} before {app}");
    }
}
