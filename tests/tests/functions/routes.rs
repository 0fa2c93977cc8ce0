//! Routing: the function of a request, and the path that it sees.

use std::fs;

use end_to_end::TestHost;
use end_to_end::client::Request;
use end_to_end::functions::Folder;

use super::deploys::wait_for;

/// The body of the answer to GET.
#[track_caller]
pub(crate) fn get(host: &TestHost, path: &str) -> String {
    text(host, &Request::new("GET", path))
}

#[track_caller]
fn text(host: &TestHost, request: &Request) -> String {
    let response = host.send(request);
    assert_eq!(response.status, 200, "{response:?}");
    response.text()
}

fn host(functions: &str) -> (TestHost, Folder) {
    let folder = Folder::new();
    folder.put_locator("one.wasm", "the-one");
    folder.put_locator("two.wasm", "the-two");
    folder.put("functions.toml", functions);
    let host = TestHost::serve_functions(folder.join("functions.toml")).start();
    (host, folder)
}

const TWO: &str = r#"
    [[function]]
    component = "one.wasm"
    route = "/a"

    [[function]]
    component = "two.wasm"
    route = "/a/b"
"#;

#[test]
fn the_longest_route_gets_the_request() {
    let (host, _folder) = host(TWO);
    for (path, answer) in [
        ("/a", "the-one / /a the-one"),
        ("/a?x=1", "the-one /?x=1 /a the-one"),
        ("/a/", "the-one / /a the-one"),
        ("/a/c/d?x", "the-one /c/d?x /a the-one"),
        ("/a/bc", "the-one /bc /a the-one"),
        ("/a/b", "the-two / /a/b the-two"),
        ("/a/b/c", "the-two /c /a/b the-two"),
    ] {
        assert_eq!(get(&host, path), answer, "{path}");
    }
}

#[test]
fn a_request_without_a_route_gets_a_problem_document() {
    let (host, _folder) = host(TWO);
    let mut connection = host.connect();
    for path in ["/", "/ab", "/b/a", "/A"] {
        let response = connection.exchange(&Request::new("GET", path));
        assert_eq!(response.status, 404, "{path}: {response:?}");
        assert_eq!(
            response.header("content-type"),
            Some("application/problem+json")
        );
        assert!(response.header("x-request-id").is_some(), "{response:?}");
    }
    // The connection stays open.
    let response = connection.exchange(&Request::new("GET", "/a"));
    assert_eq!(response.status, 200, "{response:?}");
}

#[test]
fn x_forwarded_prefix_of_a_client_is_replaced() {
    let (host, _folder) = host(TWO);
    let request = Request::new("GET", "/a/x")
        .header("x-forwarded-prefix", "/evil")
        .header("X-Forwarded-Prefix", "/more");
    assert_eq!(text(&host, &request), "the-one /x /a the-one");
}

#[test]
fn a_route_may_name_a_host_or_everything() {
    let (host, _folder) = host(
        r#"
        [[function]]
        component = "one.wasm"
        route = "/"

        [[function]]
        component = "two.wasm"
        route = "Two.Example"
        "#,
    );
    let request = |name: &str| {
        let request = Request::new("GET", "/x").header("host", name);
        request.header("x-forwarded-prefix", "/evil")
    };
    assert_eq!(
        text(&host, &request("two.example:80")),
        "the-two /x the-two"
    );
    assert_eq!(text(&host, &request("one.example")), "the-one /x the-one");
}

/// A write to the record of a function fails while a folder is in the place of its new file.
#[test]
fn functions_swap_their_routes_together_or_not_at_all() {
    let file = |one: &str, two: &str| {
        format!(
            "[[function]]\ncomponent = \"one.wasm\"\nroute = \"{one}\"\n\
             [[function]]\ncomponent = \"two.wasm\"\nroute = \"{two}\"\n"
        )
    };
    for refused in ["one", "two"] {
        let folder = Folder::new();
        folder.put_locator("one.wasm", "the-one");
        folder.put_locator("two.wasm", "the-two");
        folder.put("functions.toml", file("/a", "/b"));
        let state = folder.join("state");
        let host = TestHost::serve_functions(folder.join("functions.toml"))
            .flag("--state", &state)
            .start();
        let obstacle = state.join("functions").join(refused).join("record.part");
        fs::create_dir(&obstacle).expect("a folder");

        folder.put("functions.toml", file("/b", "/a"));
        let _ = host
            .log()
            .wait_for_entry(&["function rejected", refused, "cannot write"]);
        assert_eq!(get(&host, "/a"), "the-one / /a the-one", "{refused}");
        assert_eq!(get(&host, "/b"), "the-two / /b the-two", "{refused}");

        fs::remove_dir(&obstacle).expect("it is empty");
        wait_for(&host, "/a", Some("the-two / /a the-two"));
        assert_eq!(get(&host, "/b"), "the-one / /b the-one", "{refused}");
    }
}
