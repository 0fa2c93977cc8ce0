//! The operator commands.

use std::fs;

use super::admin::{Place, ask, print_and_trap};
use crate::functions::routes::get;

#[test]
fn operator_commands_print_their_results() {
    let place = Place::new();
    let (host, operators) = place.serve();
    let file = |version: &str| {
        place.folder.put_locator("new.wasm", version);
        place.folder.join("new.wasm").display().to_string()
    };
    let done = place.order(&operators, &["deploy", "where", &file("first-1")]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stdout.starts_with("`where` serves "),
        "{}",
        done.stdout
    );
    let done = place.order(&operators, &["deploy", "where", &file("second2")]);
    assert!(done.stdout.contains(", before "), "{}", done.stdout);
    let done = place.order(&operators, &["list"]);
    assert!(done.stdout.starts_with("where  "), "{}", done.stdout);
    assert!(done.stdout.ends_with(" /where\n"), "{}", done.stdout);
    let done = place.order(&operators, &["rollback", "where"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    let done = place.order(&operators, &["remove", "where"]);
    assert_eq!(done.stdout, "`where` is removed\n");
    let done = place.order(&operators, &["remove", "where"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(done.stderr, "error: unknown function `where`\n");
    fs::write(place.folder.join("token"), "another-token").expect("a file");
    let missing = operators.get("/v1/functions");
    assert_eq!(missing.status, 401, "{missing:?}");
    let text = missing.text();
    assert!(text.contains("the token is missing"), "{text}");
    let done = place.order(&operators, &["list"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.stderr.contains("the token is wrong"),
        "{}",
        done.stderr
    );
}

#[test]
fn logs_command_prints_output_and_failures_of_a_function() {
    let place = Place::new();
    let (host, operators) = place.serve();
    print_and_trap(&host, &operators);
    let logs = ask(&operators, "GET", "/v1/functions/count/logs", b"").json();
    let lines = logs["lines"].as_array().expect("lines");
    let line = |number: usize| lines[number].as_str().expect("a line");
    assert!(line(0).ends_with(" stdout: whole 1"), "{logs}");
    assert!(line(1).ends_with(" stdout: broken off 1"), "{logs}");
    let cause = " request failed: wasm trap: wasm `unreachable` instruction executed";
    assert!(line(2).ends_with(cause), "{logs}");
    assert!(
        line(3).ends_with("   | error while executing at wasm backtrace:"),
        "{logs}"
    );
    let path = format!("/v1/functions/count/logs?from={}", logs["next"]);
    let later = ask(&operators, "GET", &path, b"").json();
    assert_eq!(later["lines"].as_array().map(Vec::len), Some(0));
    let bad = ask(&operators, "GET", "/v1/functions/count/logs?from=x", b"");
    assert_eq!(bad.status, 400, "{bad:?}");
    let done = place.order(&operators, &["logs", "count"]);
    assert_eq!(done.stdout.lines().count(), lines.len(), "{}", done.stdout);
}
