//! Limits of one function on shared resources.

use end_to_end::TestHost;
use end_to_end::client::{Request, post};
use end_to_end::functions::Folder;
use end_to_end::guests::assemble;

use crate::functions::routes::get;

/// Requests of `unruly` whose guests wait for the rest of the body.
fn hold(host: &TestHost, path: &str, count: usize) -> Vec<end_to_end::client::Connection> {
    (0..count)
        .map(|_| {
            let mut connection = host.connect();
            let request = post(path, "x").header("expect", "100-continue");
            connection.write(&request.head());
            assert_eq!(connection.receive().status, 100);
            connection
        })
        .collect()
}

#[test]
fn limits_of_a_functions_file_hold_per_function() {
    let folder = Folder::new();
    folder.put("spin.wasm", assemble("counter", |source| source));
    folder.put_locator("where.wasm", "first-1");
    folder.put(
        "functions.toml",
        r#"
        folder = "."
        [[function]]
        name = "spin"
        cpu-timeout = 0.1
        "#,
    );
    let host = TestHost::serve_functions(folder.join("functions.toml")).start();
    let response = host.send(&Request::new("GET", "/spin/endless"));
    assert_eq!(response.status, 504, "{response:?}");
    let _ = host
        .log()
        .wait_for_entry(&["guest computed for more than 0.1 s", "function=\"spin\""]);
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
}

#[test]
fn max_concurrency_of_one_function_does_not_delay_others() {
    let folder = Folder::new();
    folder.put("full.wasm", assemble("counter", |source| source));
    folder.put_locator("where.wasm", "first-1");
    let host = TestHost::serve_functions(folder.path())
        .flag("--threads", "1")
        .flag("--max-concurrency", "4")
        .flag("--max-queue", "0")
        .flag("--body-buffer", "0")
        .start();
    // The default limit of one function is half of the pool.
    let held = hold(&host, "/full/read", 2);
    assert_eq!(host.send(&Request::new("GET", "/full/x")).status, 503);
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    drop(held);
}

#[test]
fn max_memories_and_max_tables_refuse_a_component_with_the_figures() {
    let folder = Folder::new();
    folder.put_component("app");
    folder.put_locator("where.wasm", "first-1");
    for flag in ["--max-memories", "--max-tables"] {
        let host = TestHost::serve_functions(folder.path())
            .flag(flag, "1")
            .start();
        let remedy = format!("`{flag}`");
        let _ = host
            .log()
            .wait_for_entry(&["function rejected", "2 memories and", &remedy]);
        assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    }
}

#[test]
fn max_component_size_refuses_a_file_without_reading_it() {
    let folder = Folder::new();
    folder.put_component("app");
    let host = TestHost::serve_functions(folder.path())
        .flag("--max-component-size", "64KiB")
        .start();
    let _ = host.log().wait_for_entry(&[
        "function rejected",
        "more than 65536 bytes",
        "`--max-component-size`",
    ]);
    assert_eq!(host.send(&Request::new("GET", "/app")).status, 404);
}
