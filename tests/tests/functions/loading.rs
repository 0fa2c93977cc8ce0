//! Functions that are loaded while the server answers requests.

use std::fs;
use std::os::unix::fs::symlink;

use end_to_end::client::Request;
use end_to_end::compilers::{Compiler, compilers, slow_component};
use end_to_end::functions::{Folder, locator};
use end_to_end::operators::Operators;
use end_to_end::process::Signal;
use end_to_end::{TestHost, wait};

use super::admin::{Place, ask};
use super::deploys::wait_for;

/// Longer than any test takes.
const LONG: &str = "3000";

#[test]
fn a_function_that_is_loading_answers_503_and_readyz_is_503_until_each_is_served_or_refused() {
    let place = Place::new();
    place.folder.put("functions/slow.wasm", slow_component());
    place.folder.put_locator("functions/where.wasm", "first-1");
    let host = place
        .setup()
        .cache(place.folder.join("cache"))
        .flag("--compile-timeout", LONG)
        .start_listening();
    let operators = Operators::of(&host);
    let slow = host.send(&Request::new("GET", "/slow/x"));
    assert_eq!(slow.status, 503, "{slow:?}");
    assert!(slow.header("retry-after").is_some(), "{slow:?}");
    assert_eq!(
        slow.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(slow.json()["detail"], "the function is loading");

    // The other function is served in the meantime.
    wait_for(&host, "/where", Some("first-1 / /where first-1"));
    assert_eq!(host.send(&Request::new("GET", "/slow")).status, 503);
    assert_eq!(host.send(&Request::new("GET", "/unknown")).status, 404);
    let ready = operators.get("/readyz");
    assert_eq!(ready.status, 503, "{ready:?}");
    assert!(ready.text().contains("functions are loading"), "{ready:?}");
    wait::until("a count of what was refused", || {
        let metrics = operators.metrics();
        match metrics.get("refusals_total{reason=\"loading\"}") {
            Some(count) if count >= 2.0 => Ok(()),
            _ => Err(metrics.text().to_owned()),
        }
    });
    let list = ask(&operators, "GET", "/v1/functions", b"").json();
    let shown = |index: usize| {
        let function = &list["functions"][index];
        (function["name"].as_str(), function["loading"].as_bool())
    };
    assert_eq!(shown(0), (Some("slow"), Some(true)), "{list}");
    assert_eq!(shown(1), (Some("where"), Some(false)), "{list}");
    let listed = place.order(&operators, &["list"]).stdout;
    assert!(
        listed
            .lines()
            .any(|line| line.starts_with("slow ") && line.ends_with("loading")),
        "{listed}"
    );
    let logs = ask(&operators, "GET", "/v1/functions/slow/logs", b"");
    assert_eq!(logs.status, 503, "{logs:?}");

    Compiler::wait_for(host.process_id(), &[]).signal(Signal::ABORT);
    operators.wait_until_ready("ready\nnot served: slow\n");
    assert_eq!(host.send(&Request::new("GET", "/slow")).status, 404);
}

#[test]
fn a_function_of_the_longest_prefix_is_waited_for_and_no_other_gets_its_requests() {
    let folder = Folder::new();
    folder.put("slow.wasm", slow_component());
    folder.put_locator("where.wasm", "first-1");
    let declared = "[[function]]\ncomponent = \"where.wasm\"\nroute = \"/\"\n\
                    [[function]]\ncomponent = \"slow.wasm\"\nroute = \"/deep\"\n";
    folder.put("functions.toml", declared);
    let host = TestHost::serve_functions(folder.join("functions.toml"))
        .cache(folder.join("cache"))
        .flag("--compile-timeout", LONG)
        .start_listening();
    wait_for(&host, "/x", Some("first-1 /x first-1"));
    assert_eq!(host.send(&Request::new("GET", "/deep/x")).status, 503);
}

#[test]
fn sigterm_while_functions_are_loaded_ends_the_server_and_the_compilers_at_once() {
    let folder = Folder::new();
    folder.put("slow.wasm", slow_component());
    let mut host = TestHost::serve_functions(folder.path())
        .cache(folder.join("cache"))
        .flag("--compile-timeout", LONG)
        .flag("--grace-period", LONG)
        .start_listening();
    let compiler = Compiler::wait_for(host.process_id(), &[]);
    assert_eq!(host.terminate().code(), Some(0));
    compiler.wait_until_ended();
}

#[test]
fn a_small_function_does_not_wait_until_large_ones_are_compiled() {
    /// More than any machine compiles at the same time.
    const SLOW: usize = 5;

    let folder = Folder::new();
    let slow = slow_component();
    for number in 0..SLOW {
        // Each is another component.
        let mut bytes = slow.clone();
        let name = u8::try_from(number).expect("a small number");
        bytes.extend([0, 2, 1, name]);
        folder.put(&format!("slow-{number}.wasm"), bytes);
    }
    let host = TestHost::serve_functions(folder.path())
        .cache(folder.join("cache"))
        .flag("--compile-timeout", LONG)
        .start_listening();
    let _ = Compiler::wait_for(host.process_id(), &[]);
    // The maximum number of compilers.
    let begun = std::thread::available_parallelism().map_or(1, usize::from);
    let begun = begun.max(4) - 1;
    wait::until("as many compilers as may be", || {
        let found = compilers(host.process_id()).len();
        if found >= begun.min(SLOW) {
            return Ok(());
        }
        Err(format!("{found}"))
    });
    folder.put_locator("where.wasm", "first-1");
    wait_for(&host, "/where", Some("first-1 / /where first-1"));
}

#[test]
fn a_server_without_a_function_is_not_ready() {
    let folder = Folder::new();
    let (_host, operators) = TestHost::serve_functions(folder.path()).start_with_operators();
    let ready = operators.get("/readyz");
    assert_eq!(ready.status, 503, "{ready:?}");
    assert!(ready.text().contains("no function is served"), "{ready:?}");
    folder.put_locator("where.wasm", "first-1");
    operators.wait_until_ready("ready\n");
}

/// A folder of functions as Kubernetes mounts it, with two versions of one.
fn volume() -> Folder {
    let folder = Folder::new();
    for (at, version) in [("..v1", "first-1"), ("..v2", "second2")] {
        folder.put_locator(&format!("{at}/where.wasm"), version);
    }
    symlink("..v1", folder.join("..data")).expect("a link");
    symlink("..data/where.wasm", folder.join("where.wasm")).expect("a link");
    folder
}

#[test]
fn a_kubernetes_volume_is_a_folder_of_functions_with_atomic_updates() {
    let folder = volume();
    let host = TestHost::serve_functions(folder.path()).start();
    wait_for(&host, "/where", Some("first-1 / /where first-1"));
    symlink("..v2", folder.join("..next")).expect("a link");
    fs::rename(folder.join("..next"), folder.join("..data")).expect("a link");
    wait_for(&host, "/where", Some("second2 / /where second2"));
    fs::remove_dir_all(folder.join("..v1")).expect("a folder");
    assert!(!host.log().text().contains("function rejected"));
}

#[test]
fn a_folder_that_is_removed_and_made_again_is_the_folder_of_functions() {
    let folder = Folder::new();
    folder.put_locator("functions/where.wasm", "first-1");
    let host = TestHost::serve_functions(folder.join("functions")).start();
    wait_for(&host, "/where", Some("first-1 / /where first-1"));
    fs::remove_dir_all(folder.join("functions")).expect("a folder");
    fs::create_dir(folder.join("functions")).expect("a folder");
    fs::write(folder.join("functions/where.wasm"), locator("second2")).expect("a file");
    wait_for(&host, "/where", Some("second2 / /where second2"));
}
