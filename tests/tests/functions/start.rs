//! Functions at the start of the server, and how they are reported.

use std::os::unix::fs::symlink;

use end_to_end::TestHost;
use end_to_end::client::{Request, encrypt};
use end_to_end::functions::Folder;
use end_to_end::operators::Operators;

use crate::functions::routes::get;

const ANSWER: &str = r#"{"result":"khoor"}"#;

#[test]
fn each_component_in_a_folder_is_served_below_its_name() {
    let folder = Folder::new();
    folder.put_component("app");
    folder.put_locator("where.wasm", "first-1");
    let host = TestHost::serve_functions(folder.path())
        .env("SHIFT_AMOUNT", "3")
        .start();
    let response = host.send(&encrypt("hello").path("/app/encrypt"));
    assert_eq!((response.status, &*response.text()), (200, ANSWER));
    assert_eq!(get(&host, "/where/x"), "first-1 /x /where first-1");
}

#[test]
fn a_component_without_a_handler_is_served_through_the_adapter_that_fits() {
    let folder = Folder::new();
    folder.put_component("cipher");
    folder.put_component("http-adapter");
    folder.put(
        "functions.toml",
        "folder = \".\"\n[[adapter]]\ncomponent = \"http-adapter.wasm\"\n",
    );
    let host = TestHost::serve_functions(folder.join("functions.toml"))
        .env("SHIFT_AMOUNT", "3")
        .start();
    let response = host.send(&encrypt("hello").path("/cipher/encrypt"));
    assert_eq!((response.status, &*response.text()), (200, ANSWER));
    let entries = host.audit_entries();
    assert_eq!(entries[0].json["host"]["component"]["name"], "cipher");
    let response = host.send(&encrypt("hello").path("/http-adapter/encrypt"));
    assert_eq!(response.status, 404, "an adapter is not a function");
}

#[test]
fn a_function_that_cannot_be_served_is_reported_and_the_others_are_served() {
    let folder = Folder::new();
    folder.put_locator("good.wasm", "first-1");
    folder.put("broken.wasm", b"\0asm\x0d\0\x01\0 and then nothing");
    folder.put("text.wasm", "(component)");
    folder.put_component("cipher");
    symlink("/etc/passwd", folder.join("link.wasm")).expect("a link");
    let host = TestHost::serve_functions(folder.path()).start();
    assert_eq!(get(&host, "/good"), "first-1 / /good first-1");
    for (name, why) in [
        ("broken", "copy all of it"),
        ("text", "text"),
        ("cipher", "`wasi:http/incoming-handler@0.2`"),
        ("link", "outside of the folder"),
    ] {
        let _ = host.log().wait_for_entry(&["function rejected", name, why]);
        assert_eq!(
            host.send(&Request::new("GET", &format!("/{name}"))).status,
            404
        );
        let records = host.audit_records();
        let record = records.iter().find(|record| {
            let event = &record.json["event"];
            event["type"] == "component-refused" && event["function"] == name
        });
        let record = record.unwrap_or_else(|| panic!("no record of {name}: {records:?}"));
        let cause = record.json["event"]["cause"].as_str().expect("a text");
        assert!(cause.contains(why), "{cause}");
    }
}

#[test]
fn readyz_is_503_while_functions_are_declared_and_none_is_served() {
    let folder = Folder::new();
    folder.put("broken.wasm", "broken");
    let (_host, operators) = TestHost::serve_functions(folder.path()).start_with_operators();
    let ready = operators.get("/readyz");
    assert_eq!(ready.status, 503, "{ready:?}");
    let text = ready.text();
    assert!(text.contains("no function is served"), "{text}");
    folder.put_locator("good.wasm", "first-1");
    operators.wait_until_ready("ready\nnot served: broken\n");
}

#[test]
fn a_folder_may_be_empty() {
    let folder = Folder::new();
    let host = TestHost::serve_functions(folder.path()).start();
    assert_eq!(host.send(&Request::new("GET", "/")).status, 404);
}

#[test]
fn metrics_logs_and_records_name_the_function_and_its_version() {
    let folder = Folder::new();
    folder.put_component("app");
    folder.put_locator("where.wasm", "first-1");
    let log = folder.join("access.log");
    let host = TestHost::serve_functions(folder.path())
        .env("SHIFT_AMOUNT", "3")
        .flag("--ops-addr", "127.0.0.1:0")
        .flag("--access-log", &log)
        .start();
    let _ = get(&host, "/where");
    let _ = host.send(&encrypt("hello").path("/app/encrypt"));
    assert_eq!(host.send(&Request::new("GET", "/unknown")).status, 404);
    let version = |name: &str| crate::audit::sha256(&folder.join(name));
    let operators = Operators::of(&host);
    operators.wait_for(&[
        (
            "requests_total{function=\"where\",method=\"GET\",code=\"200\"}",
            1.0,
        ),
        (
            "requests_total{function=\"app\",method=\"POST\",code=\"200\"}",
            1.0,
        ),
        ("refusals_total{reason=\"no_route\"}", 1.0),
        ("instances", 0.0),
        ("requests_in_flight{function=\"app\"}", 0.0),
        ("requests_in_flight{function=\"app\"}", 0.0),
    ]);
    let metrics = operators.metrics();
    let info = |name: &str, file: &str| {
        let version = version(file);
        let labels = format!("name=\"{name}\",sha256=\"{version}\",wasi=\"0.2\"");
        format!("component_info{{function=\"{name}\",{labels}}}")
    };
    assert_eq!(metrics.get(&info("app", "app.wasm")), Some(1.0));
    assert_eq!(metrics.get(&info("where", "where.wasm")), Some(1.0));

    let record = host.audit_entries().remove(0);
    assert_eq!(
        record.json["host"]["component"]["sha256"],
        version("app.wasm")
    );
    let mut host = host;
    assert_eq!(host.terminate().code(), Some(0));
    let lines = std::fs::read_to_string(log).expect("a log");
    let line = |path: &str| {
        lines
            .lines()
            .find(|line| line.contains(path))
            .expect("a line")
    };
    let short = &version("app.wasm")[..12];
    assert!(
        line("/app/encrypt").ends_with(&format!(" app@{short}")),
        "{lines}"
    );
    assert!(line("/unknown").contains(" 404 "), "{lines}");
    assert!(!line("/unknown").contains('@'), "{lines}");
}
