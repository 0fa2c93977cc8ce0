//! Limits on the core instances of one instance and on their contexts: a component beyond them is
//! refused before it is compiled.

use end_to_end::TestHost;
use end_to_end::client::Request;
use end_to_end::functions::Folder;
use end_to_end::guests::{Guest, assemble};

/// A handler that makes `count` more instances of a module with this number of globals.
fn component(globals: usize, count: usize) -> Vec<u8> {
    assemble("without-memory", |source| {
        let globals = "(global i32 (i32.const 0))".repeat(globals);
        let instances = "(core instance (instantiate $many))".repeat(count);
        let more = format!("(component (core module $many {globals}) {instances}");
        source.replacen("(component", &more, 1)
    })
}

/// Checks that `serve`, `serve --check` and `--functions` refuse `component` with all of `parts`.
fn check_refused(component: &[u8], parts: &[&str]) {
    let file = Guest::of(component);
    let serve = || TestHost::serve(file.path()).flag("--audit", "none");
    for setup in [serve(), serve().switch("--check")] {
        let finished = setup.fail();
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        for part in parts {
            let stderr = &finished.stderr;
            assert!(stderr.contains(part), "`{part}` is not in: {stderr}");
        }
    }

    let folder = Folder::new();
    folder.put("many.wasm", component);
    folder.put_locator("where.wasm", "first-1");
    let host = TestHost::serve_functions(folder.path())
        .flag("--audit", "none")
        .start();
    let entry = [&["function rejected"], parts].concat();
    let _ = host.log().wait_for_entry(&entry);
    assert_eq!(host.send(&Request::new("GET", "/where")).status, 200);
}

#[test]
fn more_than_256_core_instances_are_refused_with_the_figures() {
    let parts = ["257 core instances", "at most 256 are allowed", "fewer"];
    check_refused(&component(0, 256), &parts);
}

/// The component of 458 KB of which each instance took 1.27 GiB had 900 times 90,000.
#[test]
fn contexts_of_more_than_4_mib_are_refused_with_the_figures() {
    let parts = ["101 core instances", "at most 4194304 are allowed", "fewer"];
    check_refused(&component(3_000, 100), &parts);
}

#[test]
fn a_component_of_200_core_instances_is_served() {
    let file = Guest::of(component(1_000, 200));
    let host = TestHost::serve(file.path()).flag("--audit", "none").start();
    // Its guest has no answer, but it is started and called.
    let response = host.send(&Request::new("GET", "/"));
    assert_eq!(response.status, 500);
    let _ = host.log().wait_for_entry(&["without setting a response"]);
}
