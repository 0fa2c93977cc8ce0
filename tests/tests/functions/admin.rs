//! Functions that an operator deploys while the server runs, and their versions.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use end_to_end::artifacts::program;
use end_to_end::client::{Request, Response};
use end_to_end::functions::{Folder, locator};
use end_to_end::operators::{Operators, TOKEN};
use end_to_end::process::{Finished, Process, Signal};
use end_to_end::{Setup, TestHost};
use serde_json::Value;

use crate::functions::routes::get;

/// A folder of functions, a state folder and a token.
pub(super) struct Place {
    pub(super) folder: Folder,
}

impl Place {
    pub(super) fn new() -> Self {
        let folder = Folder::new();
        folder.put("functions/readme.txt", "nothing");
        folder.put("token", format!("{TOKEN}\n"));
        Self { folder }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn setup(&self) -> Setup {
        self.setup_of("functions")
    }

    /// A server with a file of functions.
    pub(super) fn with_file(&self, text: &str) -> Setup {
        self.folder.put("functions.toml", text);
        self.setup_of("functions.toml")
    }

    fn setup_of(&self, functions: &str) -> Setup {
        TestHost::serve_functions(self.folder.join(functions))
            .flag("--state", self.folder.join("state"))
            .flag("--ops-addr", "127.0.0.1:0")
            .flag("--admin-token", self.folder.join("token"))
    }

    pub(super) fn serve(&self) -> (TestHost, Operators) {
        let host = self.setup().start();
        let operators = Operators::of(&host);
        (host, operators)
    }

    /// Runs a command of an operator.
    pub(super) fn order(&self, operators: &Operators, words: &[&str]) -> Finished {
        let mut command = Command::new(program("component-runner"));
        command
            .args(words)
            .arg("--token")
            .arg(self.folder.join("token"));
        command.arg("--admin").arg(operators.address().to_string());
        Process::start(&mut command).finish()
    }
}

pub(super) fn ask(operators: &Operators, method: &str, path: &str, body: &[u8]) -> Response {
    let request = Request::new(method, path).bearer(TOKEN).body(body);
    operators.send(&request)
}

pub(super) fn deploy(operators: &Operators, name: &str, version: &str) -> Value {
    let path = format!("/v1/functions/{name}");
    let response = ask(operators, "PUT", &path, &locator(version));
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

/// Deploys a function `count`, which prints for one request and traps in another.
pub(super) fn print_and_trap(host: &TestHost, operators: &Operators) {
    let counter = end_to_end::guests::assemble("counter", |source| source);
    let response = ask(operators, "PUT", "/v1/functions/count", &counter);
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(host.send(&Request::new("GET", "/count/print")).status, 200);
    assert_eq!(host.send(&Request::new("GET", "/count/trap")).status, 500);
}

#[test]
fn deploy_rollback_and_remove_change_the_active_version() {
    let place = Place::new();
    let (host, operators) = place.serve();
    let first = deploy(&operators, "where", "first-1");
    assert_eq!(first["replaces"], Value::Null);
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    let second = deploy(&operators, "where", "second2");
    assert_eq!(second["replaces"], first["version"]);
    assert_eq!(get(&host, "/where"), "second2 / /where second2");

    let back = ask(&operators, "POST", "/v1/functions/where/rollback", b"");
    assert_eq!(back.json()["version"], first["version"]);
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    let none = ask(&operators, "POST", "/v1/functions/where/rollback", b"");
    assert_eq!(none.status, 404, "{none:?}");
    let version = second["version"].as_str().expect("a version");
    let path = format!("/v1/functions/where/versions/{}/activate", &version[..8]);
    assert_eq!(
        ask(&operators, "POST", &path, b"").json()["version"],
        version
    );
    assert_eq!(get(&host, "/where"), "second2 / /where second2");

    let shown = ask(&operators, "GET", "/v1/functions/where", b"").json();
    assert_eq!(shown["route"], "/where");
    let active: Vec<_> = shown["versions"]
        .as_array()
        .expect("versions")
        .iter()
        .map(|version| version["active"] == true)
        .collect();
    assert_eq!(active, [false, true]);

    let removed = ask(&operators, "DELETE", "/v1/functions/where", b"");
    assert_eq!(removed.json()["replaces"], version);
    assert_eq!(host.send(&Request::new("GET", "/where")).status, 404);
    assert_eq!(
        ask(&operators, "GET", "/v1/functions/where", b"").status,
        404
    );
}

#[test]
fn state_restores_the_active_version_after_sigkill() {
    let place = Place::new();
    let (host, operators) = place.serve();
    place.folder.put_locator("functions/filed.wasm", "filed-1");
    let _ = host.log().wait_for_entry(&["deployed", "filed"]);
    let _ = deploy(&operators, "filed", "order-2");
    let _ = deploy(&operators, "where", "first-1");
    let _ = deploy(&operators, "where", "second2");
    let back = ask(&operators, "POST", "/v1/functions/where/rollback", b"");
    assert_eq!(back.status, 200, "{back:?}");
    let mut host = host;
    host.signal(Signal::KILL);
    let _ = host.wait();

    // Nothing is compiled.
    let host = place.setup().flag("--compile-timeout", "0").start();
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    assert_eq!(get(&host, "/filed"), "order-2 / /filed order-2");
    // A changed file takes precedence over an earlier deploy.
    drop(host);
    place.folder.put_locator("functions/filed.wasm", "filed-3");
    let (host, _) = place.serve();
    assert_eq!(get(&host, "/filed"), "filed-3 / /filed filed-3");
    drop(host);
    // The broken file does not affect the running version.
    place.folder.put("functions/filed.wasm", "broken");
    let (host, operators) = place.serve();
    assert_eq!(get(&host, "/filed"), "filed-3 / /filed filed-3");
    let shown = ask(&operators, "GET", "/v1/functions/filed", b"").json();
    assert!(shown["problem"].is_string(), "{shown}");
}

#[test]
fn a_failed_deploy_changes_nothing_and_reports_the_reason() {
    let place = Place::new();
    let (host, operators) = place.serve();
    place.folder.put_locator("functions/filed.wasm", "filed-1");
    let _ = host.log().wait_for_entry(&["deployed", "filed"]);
    let _ = deploy(&operators, "where", "first-1");
    for (method, path, body, status) in [
        ("PUT", "/v1/functions/where", &b"nothing"[..], 422),
        ("PUT", "/v1/functions/new", b"nothing", 422),
        ("PUT", "/v1/functions/where", b"", 400),
        ("PUT", "/v1/functions/a%20b", b"x", 400),
        ("GET", "/v1/functions/..", b"", 400),
        ("POST", "/v1/functions/../rollback", b"", 400),
        ("DELETE", "/v1/functions/%2e%2e", b"", 400),
        ("DELETE", "/v1/functions/filed", b"", 409),
        ("DELETE", "/v1/functions/unknown", b"", 404),
        ("GET", "/v1/functions/new", b"", 404),
        ("GET", "/v1/nothing", b"", 404),
        ("POST", "/v1/functions/unknown/rollback", b"", 404),
        (
            "POST",
            "/v1/functions/where/versions/0000/activate",
            b"",
            404,
        ),
        ("POST", "/v1/functions", b"", 405),
        ("PATCH", "/v1/functions/where", b"", 405),
    ] {
        let response = ask(&operators, method, path, body);
        assert_eq!(response.status, status, "{method} {path}: {response:?}");
        assert_eq!(
            response.header("content-type"),
            Some("application/problem+json")
        );
        assert!(
            response.json()["detail"]
                .as_str()
                .is_some_and(|text| text.len() > 8)
        );
    }
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    assert_eq!(get(&host, "/filed"), "filed-1 / /filed filed-1");
}

#[test]
fn max_component_size_refuses_a_deploy() {
    let place = Place::new();
    let host = place.setup().flag("--max-component-size", "1KiB").start();
    let operators = Operators::of(&host);
    let response = ask(
        &operators,
        "PUT",
        "/v1/functions/where",
        &locator("first-1"),
    );
    assert_eq!(response.status, 413, "{response:?}");
}

#[test]
fn admin_token_is_required_for_every_request() {
    let place = Place::new();
    let (host, operators) = place.serve();
    let _ = deploy(&operators, "where", "first-1");
    for authorization in [
        None,
        Some("Bearer wrong-wrong-wrong-wrong"),
        Some("Basic abc"),
    ] {
        for (method, path) in [
            ("GET", "/v1/functions"),
            ("DELETE", "/v1/functions/where"),
            ("GET", "/v1/nothing"),
        ] {
            let mut request = Request::new(method, path);
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            let response = operators.send(&request);
            assert_eq!(response.status, 401, "{response:?}");
            assert_eq!(response.header("www-authenticate"), Some("Bearer"));
        }
    }
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    let mut host = host;
    host.terminate();
    assert!(!host.log().wait_for_end().contains(TOKEN));
}

#[test]
fn operator_denied_records_are_aggregated_with_a_count() {
    let place = Place::new();
    let (mut host, operators) = place.serve();
    let _ = deploy(&operators, "where", "first-1");
    let start = Instant::now();
    for number in 0..100 {
        let path = format!("/v1/functions/where/{number}");
        assert_eq!(operators.send(&Request::new("DELETE", &path)).status, 401);
    }
    // A web page of another origin, without a token.
    let foreign = Request::new("POST", "/v1/functions/where/pause")
        .header("origin", "http://evil.example")
        .bearer(TOKEN);
    assert_eq!(operators.send(&foreign).status, 403);
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    host.terminate();
    let records = host.audit_records();
    let events = records.iter().map(|record| &record.json["event"]);
    let denied: Vec<_> = events
        .filter(|event| event["type"] == "operator-denied")
        .collect();
    assert_eq!(denied[0]["path"], "/v1/functions/where/0");
    assert_eq!(
        (&denied[0]["method"], &denied[0]["count"]),
        (&"DELETE".into(), &1.into())
    );
    let count = |event: &&Value| event["count"].as_u64().expect("a number");
    assert_eq!(denied.iter().map(count).sum::<u64>(), 101);
    // One at the start, one at the end, and one per 10 s.
    let intervals = usize::try_from(start.elapsed().as_secs() / 10).expect("a number");
    assert!(denied.len() <= intervals + 3, "{denied:?}");
}

#[test]
fn without_admin_token_the_interface_is_404() {
    let folder = Folder::new();
    let (_host, operators) = TestHost::serve_functions(folder.path()).start_with_operators();
    assert_eq!(ask(&operators, "GET", "/v1/functions", b"").status, 404);
}

#[test]
fn admin_answers_conform_to_openapi() {
    let place = Place::new();
    let (_host, operators) = place.serve();
    let description = operators.get("/v1/openapi.json").json();
    let _ = deploy(&operators, "where", "first-1");
    let paths = description["paths"].as_object().expect("paths");
    for (template, path) in paths {
        let url = template
            .replace("{name}", "where")
            .replace("{version}", "00000000");
        for method in ["get", "put", "post", "delete", "patch"] {
            let response = ask(
                &operators,
                &method.to_uppercase(),
                &format!("/v1{url}"),
                b"",
            );
            let described = &path[method];
            if described.is_null() {
                assert_eq!(response.status, 405, "{method} {url}: {response:?}");
            } else {
                let status = response.status.to_string();
                let known = &described["responses"][&status];
                assert!(!known.is_null(), "{method} {url}: {response:?}");
            }
        }
    }
}

#[test]
fn state_is_locked_by_one_server() {
    let place = Place::new();
    let (_host, _operators) = place.serve();
    let finished = place.setup().fail();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("in use by another server"),
        "{}",
        finished.stderr
    );
}
