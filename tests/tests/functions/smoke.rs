//! The smoke request of a new version.

use end_to_end::TestHost;
use end_to_end::client::Request;
use end_to_end::functions::Folder;
use end_to_end::guests::{Guest, assemble};
use end_to_end::operators::Operators;

use super::admin::Place;
use crate::functions::routes::get;

fn serve(folder: &Folder, smoke: &str) -> TestHost {
    folder.put(
        "functions.toml",
        format!("[[function]]\ncomponent = \"where.wasm\"\nsmoke = \"{smoke}\"\n"),
    );
    TestHost::serve_functions(folder.join("functions.toml")).start()
}

#[test]
fn a_version_that_fails_its_smoke_request_does_not_take_over() {
    let folder = Folder::new();
    folder.put_locator("where.wasm", "first-1");
    let host = serve(&folder, "/trap");
    assert_eq!(get(&host, "/where/x"), "first-1 /x /where first-1");
    folder.put("where.wasm", assemble("counter", |source| source));
    let _ = host
        .log()
        .wait_for_entry(&["function rejected", "smoke request `GET /trap` failed"]);
    assert_eq!(get(&host, "/where/x"), "first-1 /x /where first-1");
}

#[test]
fn a_smoke_request_must_be_answered_with_success() {
    for (guest, path, why) in [
        ("counter", "/trap", "wasm trap"),
        ("unruly", "/silent", "without a response"),
    ] {
        let folder = Folder::new();
        folder.put("where.wasm", assemble(guest, |source| source));
        let host = serve(&folder, path);
        let _ = host.log().wait_for_entry(&["function rejected", why]);
        assert_eq!(host.send(&Request::new("GET", "/where")).status, 404);
    }
}

#[test]
fn a_smoke_request_is_handled_like_one_of_a_client() {
    let folder = Folder::new();
    folder.put("where.wasm", assemble("counter", |source| source));
    let host = serve(&folder, "/print");
    assert_eq!(host.send(&Request::new("GET", "/where/print")).status, 200);
    // Both requests printed the text of the first one of an instance.
    let text = host.log().wait_for_matches("whole 1", 2);
    assert_eq!(text.matches("whole 1").count(), 2, "{text}");
}

#[test]
fn a_slow_smoke_request_is_reported_to_the_deploying_client() {
    let place = Place::new();
    let text = "[[function]]\nname = \"slow\"\nsmoke = \"/loop\"\n";
    let host = place.with_file(text).start();
    let operators = Operators::of(&host);
    let guest = Guest::assemble("unruly");
    let component = guest.path().display().to_string();
    let done = place.order(&operators, &["deploy", "slow", &component]);
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    for part in ["waiting for the server: 2 s", "longer than 5 s"] {
        assert!(done.stderr.contains(part), "{}", done.stderr);
    }
}
