//! Limits of middleware with settings of its own, and errors that name the segment.

use std::fs;

use end_to_end::artifacts::component;
use end_to_end::client::{Connection, encrypt, get};
use end_to_end::guests::assemble;
use end_to_end::operators::Operators;
use end_to_end::process::Finished;
use end_to_end::{TestHost, wait};

use super::middleware_settings::{APPS, LOGGERS, as_middleware, function, place, start};

/// A message that the application has in memory, in several copies, and its middleware has not.
const MESSAGE_BYTES: usize = 1 << 20;

#[test]
fn a_memory_limit_of_middleware_does_not_bind_the_application_nor_the_reverse() {
    let request = encrypt(&"a".repeat(MESSAGE_BYTES)).path("/f/encrypt");
    for name in APPS {
        let app = fs::read(component(name)).expect("a component");
        for logger in LOGGERS {
            let place = place(&app, &[logger]);
            let table = |limit| format!("component = \"{logger}.wasm\"\nmax-memory = \"{limit}\"");
            let text = function("", &[&table("512KiB")]);
            let (host, _) = start(place.with_file(&text));
            let response = host.send(&request);
            assert_eq!(response.status, 200, "{logger} before {name}");
            assert_eq!(response.result().len(), MESSAGE_BYTES);
            drop(host);

            let text = function("max-memory = \"1MiB\"", &[&table("256MiB")]);
            let (host, _) = start(place.with_file(&text));
            let status = host.send(&request).status;
            assert!(status >= 500, "{logger} before {name}: {status}");
            let _ = host
                .log()
                .wait_for_entry(&["next handler failed", "segment=component"]);
        }
    }
}

#[test]
fn cpu_and_request_timeouts_hold_for_the_segment_that_has_them() {
    let hostile = assemble("hostile", |source| source);
    for logger in LOGGERS {
        let place = place(&hostile, &[logger]);
        let table = format!("component = \"{logger}.wasm\"\ncpu-timeout = 20");
        let text = function("cpu-timeout = 0.2", &[&table]);
        let (host, _) = start(place.with_file(&text));
        assert!(host.send(&get("/f/loop")).status >= 500, "{logger}");
        let _ = host.log().wait_for_entry(&[
            "next handler failed",
            "guest computed for more than 0.2 s",
            "function=\"f\"",
            "segment=component",
        ]);
    }
    for name in APPS {
        let app = fs::read(component(name)).expect("a component");
        let place = place(&app, &[]);
        place.folder.put("spin.wasm", as_middleware("counter"));
        let table = "component = \"spin.wasm\"\ncpu-timeout = 0.2";
        let text = function("cpu-timeout = 20", &[table]);
        let (host, _) = start(place.with_file(&text));
        assert_eq!(host.send(&get("/f/endless")).status, 504, "{name}");
        let _ = host.log().wait_for_entry(&[
            "request failed",
            "guest computed for more than 0.2 s",
            "segment=middleware `spin`",
        ]);
        drop(host);
        let table = "component = \"spin.wasm\"\nrequest-timeout = 0.2";
        let text = function("request-timeout = 20", &[table]);
        let (host, _) = start(place.with_file(&text));
        assert_eq!(host.send(&get("/f/endless")).status, 504, "{name}");
        let _ = host.log().wait_for_entry(&[
            "request failed",
            "guest did not finish within 0.2 s",
            "segment=middleware `spin`",
        ]);
    }
}

#[test]
fn a_failed_smoke_request_names_the_segment_that_failed() {
    for (guest, path, cause) in [
        ("hostile", "/trap", "component: error while executing"),
        (
            "unruly",
            "/silent",
            "component: the guest ended without a response",
        ),
    ] {
        let guest = assemble(guest, |source| source);
        for logger in LOGGERS {
            let place = place(&guest, &[logger]);
            let table = format!("component = \"{logger}.wasm\"\nmax-output = 1000");
            let text = function(&format!("smoke = \"{path}\""), &[&table]);
            let host = place.with_file(&text).start();
            let failed = format!("smoke request `GET {path}` failed");
            let _ = host
                .log()
                .wait_for_entry(&["function rejected", &failed, cause]);
        }
    }
}

/// Requests that are sent at once.
fn send_at_once(host: &TestHost, count: usize, path: &str) -> Vec<Connection> {
    let send = |_| {
        let mut client = host.connect();
        client.write(&get(path).bytes());
        client
    };
    (0..count).map(send).collect()
}

/// Requests that hold the memory of one segment would wait for that of the other until their
/// timeout.
#[cfg(target_os = "linux")]
#[test]
fn requests_to_a_chain_take_the_memory_of_all_segments_at_once() {
    const REQUESTS: usize = 600;

    let hostile = assemble("hostile", |source| source);
    let place = place(&hostile, &[LOGGERS[0]]);
    let table = format!(
        "component = \"{}.wasm\"\nmax-memory = \"256MiB\"",
        LOGGERS[0]
    );
    let keys = "queue-timeout = 600\nmax-concurrency = 1000\nrequest-timeout = 0.2";
    let setup = place.with_file(&function(keys, &[&table]));
    // Less than the instances of the middleware of all requests need.
    let setup = setup
        .flag("--max-total-memory", "256MiB")
        .flag("--audit", "none");
    let (host, operators) = start(setup);
    let mut admitted = 0;
    for mut client in send_at_once(&host, REQUESTS, "/f/sleep") {
        // 503 where the memory that an instance takes later is not available.
        let response = client.receive();
        assert!(matches!(response.status, 500 | 503 | 504), "{response:?}");
        admitted += usize::from(response.status != 503);
    }
    assert!(admitted > 0, "the server rejected all requests");
    wait_for_no_memory(&operators);
}

fn wait_for_no_memory(operators: &Operators) {
    wait::until("released memory", || {
        match operators.metrics().get("guest_memory_held_bytes") {
            Some(0.0) => Ok(()),
            held => Err(format!("{held:?}")),
        }
    });
}

#[test]
fn an_invalid_table_of_middleware_is_reported_with_its_line_and_remedy() {
    let app = fs::read(component("app")).expect("a component");
    let place = place(&app, &[LOGGERS[0]]);
    let check = |text: &str| -> Finished {
        place.folder.put("functions.toml", text);
        TestHost::serve_functions("functions.toml")
            .in_folder(place.folder())
            .switch("--check")
            .fail()
    };
    let logger = format!("component = \"{}.wasm\"", LOGGERS[0]);
    for (keys, expected) in [
        (
            "max-memry = 5",
            "functions.toml:7: `max-memry = 5`: unknown key; did you mean `max-memory`?",
        ),
        // `route` is a key of the function.
        (
            "rout = \"/x\"",
            "functions.toml:7: `rout = \"/x\"`: unknown key; the keys of",
        ),
        (
            "zzz = 5",
            "functions.toml:7: `zzz = 5`: unknown key; the keys of `[[function.middleware]]` are \
             `component`, and the flags of `serve` for",
        ),
        (
            "route = \"/x\"",
            "functions.toml:7: `route`: a key of the function, not of its middleware; write it in \
             `[[function]]`, above `[[function.middleware]]`",
        ),
        (
            "max-concurrency = 5",
            "functions.toml:7: `max-concurrency`: a key of the function, not of its middleware",
        ),
        ("cpu-timeout = -1", "functions.toml:7: `cpu-timeout = -1`: "),
        (
            "allow-outbound = \"ftp://a.example\"",
            "functions.toml:7: `allow-outbound = \"ftp://a.example\"`: ",
        ),
    ] {
        let finished = check(&function("", &[&format!("{logger}\n{keys}")]));
        assert_eq!(finished.code, Some(64), "{}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    }
    for (middleware, expected) in [
        (
            "middleware = [5]",
            "functions.toml:4: `middleware`: expected a path, or a table as \
             `[[function.middleware]]`, found a number\n",
        ),
        (
            "middleware = [{ max-memory = 5 }]",
            "functions.toml:4: `[[function.middleware]]`: missing `component`, the file of the \
             middleware",
        ),
        (
            "middleware = \"\"",
            "functions.toml:4: `middleware`: the path is empty",
        ),
        (
            "midleware = \"gate.wasm\"",
            "functions.toml:4: `midleware = \"gate.wasm\"`: unknown key; did you mean `middleware`?",
        ),
    ] {
        let finished = check(&function(middleware, &[]));
        assert_eq!(finished.code, Some(64), "{}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    }
    // The values of settings are checked with the components.
    let finished = check(&function(
        "",
        &[&format!("{logger}\nmax-memory = \"64KiB\"")],
    ));
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let expected = "function `f`: middleware `request-logger`: the component has an initial memory";
    assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    let finished = check(&function(
        "max-memory = \"64KiB\"",
        &[&format!("{logger}\nenv = {{ A = 1 }}")],
    ));
    let expected = "function `f`: component: the component has an initial memory";
    assert!(finished.stderr.contains(expected), "{}", finished.stderr);
}
