//! The middleware of a function, which holds for all its versions.

use std::fs;

use end_to_end::artifacts::experiment;
use end_to_end::client::Request;
use end_to_end::functions::locator;
use end_to_end::operators::{Operators, TOKEN};
use end_to_end::process::Signal;
use end_to_end::{TestHost, wait};

use super::admin::{Place, ask};
use super::deploys::{events, wait_for};
use crate::audit::sha256;

/// A function `where` with a file, behind this middleware.
fn declared(middleware: &str) -> String {
    format!(
        r#"
        [[function]]
        name = "where"
        component = "where.wasm"
        middleware = [{middleware}]
        env = {{ BEARER_TOKEN = "{TOKEN}" }}
        "#
    )
}

const GATE: &str = "\"gate.wasm\"";

fn put_gate(place: &Place) {
    let gate = fs::read(experiment("parts", "bearer-gate")).expect("a component");
    place.folder.put("gate.wasm", gate);
}

/// The status without the token, and the answer with it.
fn ask_gate(host: &TestHost) -> (u16, String) {
    let request = Request::new("GET", "/where");
    let status = host.send(&request).status;
    let request = request.bearer(TOKEN);
    (status, host.send(&request).text())
}

/// Waits until the function answers with this version behind its gate.
#[track_caller]
fn wait_for_gate(host: &TestHost, version: &str) {
    let expected = (401, format!("{version} / /where {version}"));
    wait::until(format_args!("{expected:?}"), || {
        let found = ask_gate(host);
        if found == expected {
            return Ok(());
        }
        Err(format!("{found:?}\n{}", host.log().text()))
    });
}

fn rollback(operators: &Operators) {
    let response = ask(operators, "POST", "/v1/functions/where/rollback", b"");
    assert_eq!(response.status, 200, "{response:?}");
}

#[test]
fn rollback_keeps_the_declared_middleware_also_after_a_restart() {
    let place = Place::new();
    place.folder.put_locator("where.wasm", "first-1");
    put_gate(&place);
    let mut host = place.with_file(&declared("")).start();
    let operators = Operators::of(&host);
    wait_for(&host, "/where", Some("first-1 / /where first-1"));

    place.folder.put("functions.toml", declared(GATE));
    wait_for_gate(&host, "first-1");
    place.folder.put_locator("where.wasm", "second2");
    wait_for_gate(&host, "second2");
    let path = "/v1/functions/where";
    let deployed = ask(&operators, "PUT", path, &locator("third-3"));
    assert_eq!(deployed.status, 200, "{deployed:?}");
    wait_for_gate(&host, "third-3");

    // To versions from before and after the middleware was declared.
    let versions = |shown: &serde_json::Value| -> Vec<String> {
        let versions = shown["versions"].as_array().expect("versions").iter();
        versions
            .map(|version| version["version"].as_str().expect("a version").to_owned())
            .collect()
    };
    let shown = ask(&operators, "GET", path, b"").json();
    let found = versions(&shown);
    assert_eq!(found.len(), 3, "{shown}");
    // The audit log has the composition, which is what runs.
    assert_ne!(shown["version"], shown["component"], "{shown}");
    for (version, text) in found.iter().zip(["first-1", "second2", "third-3"]) {
        let path = format!("/v1/functions/where/versions/{version}/activate");
        assert_eq!(ask(&operators, "POST", &path, b"").status, 200);
        let expected = format!("{text} / /where {text}");
        assert_eq!(ask_gate(&host), (401, expected));
    }
    rollback(&operators);
    rollback(&operators);
    let expected = (401, "first-1 / /where first-1".to_owned());
    assert_eq!(ask_gate(&host), expected);
    host.signal(Signal::KILL);
    let _ = host.wait();
    let host = place.with_file(&declared(GATE)).start();
    assert_eq!(ask_gate(&host), expected);
}

#[test]
fn a_function_with_a_mistyped_middleware_is_not_served() {
    let place = Place::new();
    place.folder.put_locator("where.wasm", "first-1");
    put_gate(&place);
    let host = place.with_file(&declared("")).start();
    let operators = Operators::of(&host);
    wait_for(&host, "/where", Some("first-1 / /where first-1"));

    let mistyped = declared("\"gaet.wasm\"");
    place.folder.put("functions.toml", &mistyped);
    let _ = host.log().wait_for_entry(&["undeployed", "middleware"]);
    assert_eq!(host.send(&Request::new("GET", "/where")).status, 404);
    let check = |operators: &Operators| {
        let list = ask(operators, "GET", "/v1/functions", b"").json();
        let problem = list["functions"][0]["problem"].as_str();
        assert!(
            problem.is_some_and(|text| text.contains("gaet.wasm")),
            "{list}"
        );
        let ready = operators.get("/readyz");
        assert_eq!(ready.status, 503, "{ready:?}");
        let detail = ready.json()["detail"].to_string();
        assert!(detail.contains("no function is served"), "{detail}");
    };
    check(&operators);
    let refused = events(&host, "component-refused");
    assert_eq!(refused[0]["event"]["function"], "where");
    assert_eq!(events(&host, "component-removed").len(), 1);
    let version = sha256(&place.folder.join("where.wasm"));
    let activate = format!("/v1/functions/where/versions/{version}/activate");
    let refused = ask(&operators, "POST", &activate, b"");
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(host.send(&Request::new("GET", "/where")).status, 404);
    drop(host);

    let host = place.with_file(&mistyped).start();
    let operators = Operators::of(&host);
    assert_eq!(host.send(&Request::new("GET", "/where")).status, 404);
    check(&operators);
    let gate = fs::read(place.folder.join("gate.wasm")).expect("a component");
    place.folder.put("gaet.wasm", gate);
    wait_for_gate(&host, "first-1");
    assert_eq!(operators.get("/readyz").text(), "ready\n");
}

#[test]
fn a_broken_component_keeps_the_previous_one_behind_new_middleware() {
    let place = Place::new();
    place.folder.put_locator("where.wasm", "first-1");
    put_gate(&place);
    let host = place.with_file(&declared("")).start();
    wait_for(&host, "/where", Some("first-1 / /where first-1"));
    place.folder.put("where.wasm", "broken");
    let _ = host.log().wait_for_entry(&["function rejected", "where"]);
    wait_for(&host, "/where", Some("first-1 / /where first-1"));
    place.folder.put("functions.toml", declared(GATE));
    wait_for_gate(&host, "first-1");
}
