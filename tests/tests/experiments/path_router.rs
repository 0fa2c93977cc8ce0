//! `experiments/path-router`: one greeter twice, behind a router.

use end_to_end::TestHost;
use end_to_end::artifacts::experiment;
use end_to_end::cases::check_problem;
use end_to_end::client::{Request, Response};

fn get(path: &str) -> Response {
    let host = TestHost::serve(experiment("path-router", "routed")).start();
    host.send(&Request::new("GET", path))
}

fn check(path: &str, text: &str) {
    let response = get(path);
    assert_eq!(response.status, 200, "{response:?}");
    let content_type = response.header("content-type");
    assert_eq!(content_type, Some("text/plain; charset=utf-8"));
    assert_eq!(String::from_utf8_lossy(&response.body), text);
}

#[test]
fn a_and_all_below_it_go_to_one_greeter() {
    check("/a", "good morning: /a\n");
    check("/a/x/y?z", "good morning: /a/x/y\n");
}

#[test]
fn b_and_all_below_it_go_to_the_other_greeter() {
    check("/b", "buongiorno: /b\n");
    check("/b/a", "buongiorno: /b/a\n");
}

#[test]
fn everything_else_is_not_found() {
    for path in ["/", "/c", "/ab", "/A"] {
        check_problem(&get(path), 404, &[&format!("`{path}`"), "`/a`", "`/b`"]);
    }
}
