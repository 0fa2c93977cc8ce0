//! Functions that are removed, by an operator or because they are no longer declared.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use end_to_end::TestHost;
use end_to_end::client::Request;
use end_to_end::functions::Folder;
use end_to_end::operators::Operators;

use super::admin::{Place, ask, deploy};
use super::deploys::{events, wait_for};
use crate::functions::routes::get;

/// Time without a change after which all functions are removed.
const DELAY: Duration = Duration::from_secs(5);

const DECLARED: &str = "[[function]]\ncomponent = \"where.wasm\"\n";

/// A server of the functions in a file, of which there is `where`.
fn serve(folder: &Folder) -> TestHost {
    folder.put_locator("where.wasm", "first-1");
    folder.put("functions.toml", DECLARED);
    TestHost::serve_functions(folder.join("functions.toml")).start()
}

#[test]
fn an_empty_file_of_functions_is_refused_and_removes_nothing() {
    let folder = Folder::new();
    let host = serve(&folder);
    // As an editor that truncates and rewrites the file.
    drop(File::create(folder.join("functions.toml")).expect("a file"));
    let entry = host
        .log()
        .wait_for_entry(&["previous functions stay active"]);
    assert!(entry.contains("`function = []`"), "{entry}");
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    fs::write(folder.join("functions.toml"), DECLARED).expect("a file");
    folder.put_locator("where.wasm", "second2");
    wait_for(&host, "/where", Some("second2 / /where second2"));
    drop(host);

    for text in [
        "",
        "# nothing\n",
        "[[adapter]]\ncomponent = \"adapter.wasm\"\n",
    ] {
        folder.put("functions.toml", text);
        let refused = TestHost::serve_functions(folder.join("functions.toml")).fail();
        assert_eq!(refused.code, Some(64), "{}", refused.stderr);
        assert!(
            refused.stderr.contains("`function = []`"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn an_explicitly_empty_functions_file_removes_all_after_5_s() {
    let folder = Folder::new();
    let host = serve(&folder);
    let change = Instant::now();
    folder.put("functions.toml", "function = []\n");
    wait_for(&host, "/where", None);
    assert!(change.elapsed() >= DELAY, "{:?}", change.elapsed());
    // At the start there is no delay.
    drop(host);
    let host = TestHost::serve_functions(folder.join("functions.toml")).start();
    assert_eq!(host.send(&Request::new("GET", "/where")).status, 404);
}

#[test]
fn a_folder_that_is_empty_for_a_moment_removes_nothing() {
    let folder = Folder::new();
    folder.put_locator("functions/where.wasm", "first-1");
    let (there, moved) = (
        folder.join("functions/where.wasm"),
        folder.join("moved.wasm"),
    );
    // A busy machine may take longer, which repeats the test.
    for _ in 0..10 {
        let host = TestHost::serve_functions(folder.join("functions")).start();
        let begin = Instant::now();
        fs::rename(&there, &moved).expect("a file");
        let _ = host.log().wait_for_entry(&["after 5 s without a change"]);
        fs::rename(&moved, &there).expect("a file");
        let was_short = begin.elapsed() < DELAY;
        folder.put_locator("functions/other.wasm", "other-1");
        wait_for(&host, "/other", Some("other-1 / /other other-1"));
        wait_for(&host, "/where", Some("first-1 / /where first-1"));
        if was_short {
            assert!(events(&host, "component-removed").is_empty());
            return;
        }
        fs::remove_file(folder.join("functions/other.wasm")).expect("a file");
    }
    panic!("the machine is too busy");
}

/// The answers of all kept versions of `where`, by activating each.
fn kept(host: &TestHost, operators: &Operators) -> Vec<String> {
    let shown = ask(operators, "GET", "/v1/functions/where", b"").json();
    let versions = shown["versions"].as_array().expect("versions").iter();
    let activate = |version: &serde_json::Value| {
        let version = version["version"].as_str().expect("a version");
        let path = format!("/v1/functions/where/versions/{version}/activate");
        assert_eq!(ask(operators, "POST", &path, b"").status, 200);
        get(host, "/where")[..7].to_owned()
    };
    versions.map(activate).collect()
}

#[test]
fn rollback_brings_a_removed_function_back_within_keep_removed() {
    let place = Place::new();
    let (host, operators) = place.serve();
    let _ = deploy(&operators, "where", "first-1");
    let _ = deploy(&operators, "where", "second2");
    let removed = ask(&operators, "DELETE", "/v1/functions/where", b"");
    assert_eq!(removed.status, 200, "{removed:?}");
    assert_eq!(host.send(&Request::new("GET", "/where")).status, 404);
    drop(host);

    // It stays removed after a restart.
    let (host, operators) = place.serve();
    assert_eq!(host.send(&Request::new("GET", "/where")).status, 404);
    assert_eq!(
        ask(&operators, "GET", "/v1/functions/where", b"").status,
        404
    );
    let back = ask(&operators, "POST", "/v1/functions/where/rollback", b"");
    assert_eq!(back.status, 200, "{back:?}");
    assert_eq!(get(&host, "/where"), "second2 / /where second2");
    assert_eq!(kept(&host, &operators), ["first-1", "second2"]);
    drop(host);
    let (host, _) = place.serve();
    assert_eq!(get(&host, "/where"), "second2 / /where second2");
}

#[test]
fn a_function_whose_file_comes_back_has_its_versions() {
    let place = Place::new();
    place.folder.put_locator("functions/where.wasm", "first-1");
    let (host, operators) = place.serve();
    wait_for(&host, "/where", Some("first-1 / /where first-1"));
    let _ = deploy(&operators, "where", "second2");
    fs::remove_file(place.folder.join("functions/where.wasm")).expect("a file");
    wait_for(&host, "/where", None);
    place.folder.put_locator("functions/where.wasm", "first-1");
    // The file is unchanged, so the previous version is active.
    wait_for(&host, "/where", Some("second2 / /where second2"));
    assert_eq!(kept(&host, &operators), ["first-1", "second2"]);
}

#[test]
fn keep_removed_0_deletes_the_versions_of_a_removed_function_at_once() {
    let place = Place::new();
    let host = place.setup().flag("--keep-removed", "0").start();
    let operators = Operators::of(&host);
    let _ = deploy(&operators, "where", "first-1");
    let removed = ask(&operators, "DELETE", "/v1/functions/where", b"");
    assert_eq!(removed.status, 200, "{removed:?}");
    assert!(!place.folder.join("state/functions/where").exists());
    let back = ask(&operators, "POST", "/v1/functions/where/rollback", b"");
    assert_eq!(back.status, 404, "{back:?}");
}
