//! Middleware with an environment, grants and limits of its own: `[[function.middleware]]`.

use std::fs;

use end_to_end::artifacts::{component, experiment};
use end_to_end::client::{Request, encrypt, get, post};
use end_to_end::guests::assemble;
use end_to_end::operators::{Operators, TOKEN};
use end_to_end::upstream::Upstream;
use end_to_end::{Setup, TestHost, wait};

use super::admin::Place;
use super::deploys::events;
use crate::audit::sha256;
use crate::experiments::stream::echo_in_lock_step;

/// Components for WASI 0.2 and for WASI 0.3: the application, and middleware with the same behaviour.
pub(super) const APPS: [&str; 2] = ["app", "app-0.3"];
pub(super) const GATES: [&str; 2] = ["bearer-gate", "gate-middleware"];
pub(super) const LOGGERS: [&str; 2] = ["request-logger", "logger-middleware"];

/// A folder with a function `f` of these bytes, and the parts of experiments.
pub(super) fn place(app: &[u8], parts: &[&str]) -> Place {
    let place = Place::new();
    place.folder.put("f.wasm", app);
    for name in parts {
        let part = fs::read(experiment("parts", name)).expect("a component");
        place.folder.put(&format!("{name}.wasm"), part);
    }
    place
}

/// A function `f` with these keys, and these tables of its middleware.
pub(super) fn function(keys: &str, middleware: &[&str]) -> String {
    let tables = middleware
        .iter()
        .map(|keys| format!("[[function.middleware]]\n{keys}\n"));
    let tables: String = tables.collect();
    format!("[[function]]\nname = \"f\"\ncomponent = \"f.wasm\"\n{keys}\n{tables}")
}

/// Waits until the function is served.
pub(super) fn start(setup: Setup) -> (TestHost, Operators) {
    let host = setup.start();
    let operators = Operators::of(&host);
    operators.wait_until_ready("ready\n");
    (host, operators)
}

fn app(name: &str) -> Vec<u8> {
    fs::read(component(name)).expect("a component")
}

fn to_app(message: &str) -> Request {
    encrypt(message).path("/f/encrypt")
}

/// A guest for WASI 0.2 that answers each request itself, as middleware: it imports the next handler.
pub(super) fn as_middleware(guest: &str) -> Vec<u8> {
    const NEXT: &str = r#"
  (import "wasi:http/incoming-handler@0.2.12" (instance $next
    (alias outer $component $incoming-request (type $request'))
    (export "incoming-request" (type $request (eq $request')))
    (alias outer $component $response-outparam (type $outparam'))
    (export "response-outparam" (type $outparam (eq $outparam')))
    (export "handle" (func
      (param "request" (own $request)) (param "response-out" (own $outparam))))))
  (core module $memory"#;

    assemble(guest, |source| {
        source.replacen("\n  (core module $memory", NEXT, 1)
    })
}

#[test]
fn a_gate_and_its_application_have_separate_variables() {
    let function = |gate: &str| {
        let gate = format!(
            "component = \"{gate}.wasm\"\nenv = {{ BEARER_TOKEN = \"{TOKEN}\", SHIFT_AMOUNT = 5 }}"
        );
        let own = "env = { BEARER_TOKEN = \"of-the-application\", SHIFT_AMOUNT = 4 }";
        function(own, &[&gate])
    };
    for name in APPS {
        for gate in GATES {
            let place = place(&app(name), &[gate]);
            let (host, _) = start(place.with_file(&function(gate)));
            let request = to_app("hello world");
            assert_eq!(host.send(&request).status, 401, "{gate} before {name}");
            let other = request.clone().bearer("of-the-application");
            assert_eq!(host.send(&other).status, 401, "{gate} before {name}");
            let response = host.send(&request.bearer(TOKEN));
            assert_eq!(response.status, 200, "{gate} before {name}: {response:?}");
            assert_eq!(response.json()["result"], "lipps asvph");
        }
    }
}

#[test]
fn middleware_without_settings_has_the_variables_of_the_function_and_no_others() {
    for (name, gate) in [("app", GATES[0]), ("app-0.3", GATES[1])] {
        let place = place(&app(name), &[gate]);
        let own = format!(
            "middleware = [{{ component = \"{gate}.wasm\", env = {{ BEARER_TOKEN = \"{TOKEN}\" }} }}, \
             \"{gate}.wasm\"]"
        );
        let (host, _) = start(place.with_file(&function(&own, &[])));
        let request = to_app("hello");
        assert_eq!(host.send(&request).status, 401);
        // The inner gate has no token.
        let response = host.send(&request.bearer(TOKEN));
        assert_eq!(response.status, 500, "{response:?}");
        assert!(response.text().contains("BEARER_TOKEN"), "{response:?}");
    }
}

#[test]
fn a_table_with_a_component_only_is_composed_and_one_with_settings_is_a_segment() {
    for (settings, count) in [("", 1), ("env = {}", 2), ("max-memory = \"4MiB\"", 2)] {
        let place = place(&app("app"), &[LOGGERS[0]]);
        let logger = format!("component = \"{}.wasm\"\n{settings}", LOGGERS[0]);
        let (host, _) = start(place.with_file(&function("", &[&logger])));
        assert_eq!(host.send(&to_app("hello")).json()["result"], "khoor");
        let loaded = events(&host, "component-load");
        assert_eq!(loaded.len(), count, "{settings}: {loaded:?}");
        let first = &loaded[0]["host"]["component"];
        let file = sha256(&place.folder.join(&format!("{}.wasm", LOGGERS[0])));
        // A segment of one component has the digest of its file in the audit log.
        assert_eq!(first["sha256"] == *file, count == 2, "{loaded:?}");
        assert_eq!(first["name"], "f");
    }
}

#[test]
fn the_grants_of_an_application_and_its_middleware_are_separate() {
    const ANSWER: &str = "HTTP/1.1 204 No Content\r\n\r\n";

    let upstream = Upstream::start();
    let authority = upstream.authority();
    let path = format!("/f/1/http/{authority}");
    let grant = format!("allow-outbound = \"http://{authority}\"");
    let send = |host: &TestHost| {
        let mut client = host.connect();
        client.write(&get(&path).bytes());
        upstream.receive().write(ANSWER);
        client.receive().status
    };
    let sender = assemble("sender", |source| source);
    for logger in LOGGERS {
        let place = place(&sender, &[logger]);
        let table = |keys: &str| format!("component = \"{logger}.wasm\"\n{keys}");
        let text = function("", &[&table(&grant)]);
        let (host, _) = start(place.with_file(&text));
        assert_eq!(host.send(&get(&path)).status, 502, "{logger}");
        assert!(upstream.is_left_alone());
        drop(host);
        let text = function(&grant, &[&table("max-output = 1000")]);
        let (host, _) = start(place.with_file(&text));
        assert_eq!(send(&host), 204, "{logger}");
    }
    for name in APPS {
        let place = place(&app(name), &[]);
        place.folder.put("sender.wasm", as_middleware("sender"));
        let table = |keys: &str| format!("component = \"sender.wasm\"\n{keys}");
        let text = function(&grant, &[&table("max-output = 1000")]);
        let (host, _) = start(place.with_file(&text));
        assert_eq!(host.send(&get(&path)).status, 502, "{name}");
        assert!(upstream.is_left_alone());
        drop(host);
        // An empty list replaces the origins of the command line.
        let text = function("", &[&table("allow-outbound = []")]);
        let setup = place.with_file(&text);
        let (host, _) = start(setup.flag("--allow-outbound", format!("http://{authority}")));
        assert_eq!(host.send(&get(&path)).status, 502, "{name}");
        drop(host);
        let text = function("", &[&table(&grant)]);
        let (host, _) = start(place.with_file(&text));
        assert_eq!(send(&host), 204, "{name}");
    }
}

#[test]
fn middleware_with_settings_streams_in_both_directions() {
    let streamer = fs::read(experiment("parts", "streamer")).expect("a component");
    for logger in LOGGERS {
        let place = place(&streamer, &[logger]);
        let table = format!("component = \"{logger}.wasm\"\nmax-memory = \"4MiB\"");
        let setup = place.with_file(&function("", &[&table]));
        let setup = setup
            .flag("--body-buffer", "0")
            .flag("--min-body-rate", "0");
        let (host, operators) = start(setup);
        let mut connection = host.connect();
        connection.write(&post("/f/echo", "").chunked().head());
        echo_in_lock_step(&mut connection);
        drop(connection);
        operators
            .wait_until_zero(&["pool_core_instances", "pool_memories"])
            .expect("an empty pool");
    }
}

#[test]
fn changed_settings_of_middleware_take_over_without_a_restart() {
    let gate = |settings: &str| format!("component = \"{}.wasm\"\n{settings}", GATES[1]);
    let with_token = |token: &str| gate(&format!("env = {{ BEARER_TOKEN = \"{token}\" }}"));
    let place = place(&app("app"), &[GATES[1]]);
    let (host, _) = start(place.with_file(&function("", &[&with_token("first")])));
    let status = |token: &str| host.send(&to_app("a").bearer(token)).status;
    assert_eq!((status("first"), status("second")), (200, 401));
    let wait_for = |tables: &[&str], expected: (u16, u16)| {
        place.folder.put("functions.toml", function("", tables));
        wait::until(format_args!("{expected:?}"), || {
            match (status("first"), status("second")) {
                found if found == expected => Ok(()),
                found => Err(format!("{found:?}")),
            }
        });
    };
    wait_for(&[&with_token("second")], (401, 200));
    // Without settings of its own, the gate has the environment of the function, which has no token.
    wait_for(&[&gate("")], (500, 500));
    place.folder.put("token.txt", "first\n");
    let from_file = gate("env-secret = { BEARER_TOKEN = \"token.txt\" }");
    wait_for(&[&from_file], (200, 401));
    wait_for(&[], (200, 200));
}

#[test]
fn the_audit_log_records_the_removal_of_each_segment() {
    const OTHER: &str = "[[function]]\nname = \"g\"\ncomponent = \"f.wasm\"\n";

    let place = place(&app("app"), &[GATES[1]]);
    let gate = format!("component = \"{}.wasm\"\nenv = {{}}", GATES[1]);
    let with_gate = format!("{OTHER}{}", function("", &[&gate]));
    let (host, _) = start(place.with_file(&with_gate));
    let digest = |file: &str| sha256(&place.folder.join(file));
    let (gate, app) = (digest(&format!("{}.wasm", GATES[1])), digest("f.wasm"));
    let apply = |text: &str, loaded: usize, removed: &[&String]| {
        place.folder.put("functions.toml", text);
        wait::until(format_args!("{loaded} loaded, {removed:?} removed"), || {
            let count = events(&host, "component-load").len();
            let events = events(&host, "component-removed");
            let found = events
                .iter()
                .map(|event| event["host"]["component"]["sha256"].as_str());
            if count == loaded && found.eq(removed.iter().map(|digest| Some(digest.as_str()))) {
                Ok(())
            } else {
                Err(format!("{count} loaded, {events:?}"))
            }
        });
    };
    let without_gate = format!("{OTHER}{}", function("", &[]));
    apply(&with_gate, 3, &[]);
    apply(&without_gate, 4, &[&gate]);
    apply(&with_gate, 6, &[&gate]);
    apply(OTHER, 6, &[&gate, &gate, &app]);
}

#[test]
fn a_gate_with_settings_that_cannot_be_loaded_never_leaves_the_application_open() {
    let never_forwards = app("app");
    for (file, settings, cause) in [
        ("gaet.wasm", "max-output = 1", "gaet.wasm"),
        (
            "gate.wasm",
            "env-secret = { BEARER_TOKEN = \"lost.txt\" }",
            "middleware `gate`: cannot read `",
        ),
        (
            "gate.wasm",
            "max-memory = \"64KiB\"",
            "middleware `gate`: the component has an initial memory of",
        ),
        (
            "app.wasm",
            "max-output = 1",
            "middleware `app`: the middleware never forwards a request",
        ),
        (
            "text.wasm",
            "max-output = 1",
            "middleware `text`: this is text, not a component",
        ),
    ] {
        let place = place(&app("app"), &[]);
        place.folder.put("app.wasm", &never_forwards);
        place.folder.put("text.wasm", "text");
        let gate = fs::read(experiment("parts", GATES[0])).expect("a component");
        place.folder.put("gate.wasm", gate);
        let text = function("", &[&format!("component = \"{file}\"\n{settings}")]);
        let host = place.with_file(&text).start();
        let _ = host.log().wait_for_entry(&["function rejected", cause]);
        wait::until("a function that is not served", || {
            match host.send(&to_app("a")).status {
                404 => Ok(()),
                other => Err(other.to_string()),
            }
        });
        drop(host);
        // Also where the application was served before.
        let (host, _) = start(place.with_file(&function("", &[])));
        assert_eq!(host.send(&to_app("a")).status, 200);
        place.folder.put("functions.toml", &text);
        let _ = host.log().wait_for_entry(&["undeployed", "middleware"]);
        assert_eq!(host.send(&to_app("a")).status, 404, "{cause}");
    }
}
