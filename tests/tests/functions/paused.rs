//! `pause` and `resume`, and metrics per function.

use end_to_end::cases::check_problem;
use end_to_end::client::Request;
use end_to_end::process::Signal;
use end_to_end::wait;

use super::admin::{Place, ask, deploy, print_and_trap};
use crate::functions::routes::get;

#[test]
fn a_function_that_is_paused_answers_nothing_until_it_is_resumed() {
    let place = Place::new();
    let (mut host, operators) = place.serve();
    let first = deploy(&operators, "where", "first-1");
    let _ = deploy(&operators, "other", "other-1");
    let paused = ask(&operators, "POST", "/v1/functions/where/pause", b"");
    assert_eq!(paused.json()["version"], first["version"], "{paused:?}");
    let response = host.send(&Request::new("GET", "/where"));
    check_problem(&response, 503, &["paused"]);
    assert!(response.header("retry-after").is_some(), "{response:?}");
    assert_eq!(get(&host, "/other"), "other-1 / /other other-1");
    let shown = ask(&operators, "GET", "/v1/functions/where", b"").json();
    assert_eq!(shown["paused"], true, "{shown}");

    // Neither a new version nor a restart resumes the function.
    let _ = deploy(&operators, "where", "second2");
    assert_eq!(host.send(&Request::new("GET", "/where")).status, 503);
    let kinds: Vec<_> = host
        .audit_records()
        .iter()
        .map(|record| record.json["event"]["type"].clone())
        .collect();
    assert!(kinds.contains(&"function-paused".into()), "{kinds:?}");
    host.signal(Signal::TERM);
    let _ = host.wait();
    let (host, operators) = place.serve();
    assert_eq!(host.send(&Request::new("GET", "/where")).status, 503);
    let done = place.order(&operators, &["list"]);
    let line = done.stdout.lines().find(|line| line.starts_with("where "));
    assert!(
        line.is_some_and(|line| line.ends_with(" paused")),
        "{}",
        done.stdout
    );

    let done = place.order(&operators, &["resume", "where"]);
    assert_eq!(done.stdout, "`where` serves again\n", "{}", done.stderr);
    assert_eq!(get(&host, "/where"), "second2 / /where second2");
    let done = place.order(&operators, &["pause", "where"]);
    assert_eq!(done.stdout, "`where` is paused\n", "{}", done.stderr);
    assert_eq!(host.send(&Request::new("GET", "/where")).status, 503);
    let none = ask(&operators, "POST", "/v1/functions/unknown/pause", b"");
    assert_eq!(none.status, 404, "{none:?}");
}

#[test]
fn metrics_have_series_per_function() {
    let place = Place::new();
    let (host, operators) = place.serve();
    print_and_trap(&host, &operators);
    // A request is counted at its end, after its client has the answer.
    let stats = wait::until("a request of each code", || {
        let stats = ask(&operators, "GET", "/v1/functions/count/stats", b"").json();
        let requests = stats["requests"].as_array().expect("requests");
        let is_counted = |code: &str| {
            requests.iter().any(|request| {
                request["code"] == code && request["method"] == "GET" && request["count"] == 1
            })
        };
        let is_over = is_counted("200") && is_counted("500") && stats["in_flight"] == 0;
        if is_over { Ok(stats) } else { Err(stats) }
    });
    assert_eq!(stats["failures"]["trap"], 1, "{stats}");
    assert_eq!(
        (&stats["in_flight"], &stats["count"]),
        (&0.into(), &2.into()),
        "{stats}"
    );
}
