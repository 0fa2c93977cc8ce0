//! The log on standard error, and traces.

use std::fmt::Write;

use end_to_end::client::{Request, encrypt};
use end_to_end::collector::Collector;
use end_to_end::operators::Operators;
use end_to_end::{TestHost, app};
use serde_json::Value;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("memory");
    }
    text
}

#[test]
fn log_format_json_has_one_object_per_line() {
    let mut host = TestHost::serve_guest("unruly")
        .flag("--log-format", "json")
        .start();
    let response = host.send(&Request::new("GET", "/trap"));
    assert_eq!(response.status, 500);
    let id = response.header("x-request-id").expect("an id").to_owned();
    host.terminate();
    let text = host.log().wait_for_end();
    for line in text.lines() {
        let keys = [
            "{\"timestamp\":",
            ",\"level\":",
            ",\"message\":",
            ",\"target\":",
        ];
        let places = keys.map(|key| line.find(key));
        assert!(places[0] == Some(0) && places.is_sorted(), "{line}");
    }
    let entries: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}")))
        .collect();
    let failure = entries.iter().find(|entry| entry["request"] == id.as_str());
    let failure = failure.unwrap_or_else(|| panic!("{text}"));
    assert_eq!(failure["level"], "ERROR");
    assert_eq!(failure["message"], "request failed");
    let cause = failure["cause"].as_str().expect("a text");
    assert!(cause.contains("unreachable"), "{cause}");
}

#[test]
fn log_format_json_holds_for_guest_output() {
    let mut host = TestHost::serve_guest("counter")
        .flag("--log-format", "json")
        .start();
    let response = host.send(&Request::new("GET", "/print").header("x-request-id", "my-id"));
    assert_eq!(response.status, 200);
    host.terminate();
    let text = host.log().wait_for_end();
    let printed = text.lines().find(|line| line.contains("whole 1"));
    let printed = printed.unwrap_or_else(|| panic!("{text}"));
    let entry: Value = serde_json::from_str(printed).expect("an object");
    assert_eq!(entry["message"], "whole 1");
    assert_eq!(entry["request"], "my-id");
    assert_eq!(entry["stream"], "stdout");
    assert_eq!(entry["target"], "guest");
}

#[test]
fn a_line_printed_over_several_handles_is_one_log_line() {
    let mut host = TestHost::serve_guest("hostile").start();
    let request = Request::new("GET", "/print-in-pieces").header("x-request-id", "my-id");
    assert_eq!(host.send(&request).status, 200);
    host.terminate();
    let text = host.log().wait_for_end();
    let printed: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("my-id "))
        .collect();
    assert_eq!(printed, ["my-id stdout: a line"], "{text}");
}

#[test]
fn log_format_json_holds_for_the_final_error() {
    let finished = TestHost::serve("/missing.wasm")
        .flag("--log-format", "json")
        .fail();
    assert_eq!(finished.code, Some(1));
    let line = finished.stderr.lines().last().expect("a line");
    let entry: Value = serde_json::from_str(line).expect("an object");
    assert_eq!(entry["level"], "ERROR");
    let message = entry["message"].as_str().expect("a text");
    assert!(message.contains("/missing.wasm"), "{message}");
}

#[test]
fn otlp_span_has_the_outcome_of_a_request() {
    let collector = Collector::start();
    let host = app().flag("--otlp", collector.url()).start();
    let request = Request::new("GET", "/nowhere?key=1")
        .header("traceparent", &format!("00-{TRACE}-{PARENT}-01"))
        .header("user-agent", "test/1");
    let response = host.send(&request);
    assert_eq!(response.status, 404);
    let received = collector.next();
    let span = &received.span;
    assert_eq!(span.name, "GET");
    assert_eq!(hex(&span.trace_id), TRACE);
    assert_eq!(hex(&span.parent_span_id), PARENT);
    assert_eq!(span.span_id.len(), 8);
    assert!(span.end_time_unix_nano > span.start_time_unix_nano);
    assert_eq!(span.status, None);
    let attributes = received.attributes();
    for (key, value) in [
        ("http.request.method", "GET"),
        ("url.path", "/nowhere"),
        ("url.scheme", "http"),
        ("http.response.status_code", "404"),
        ("network.peer.address", "127.0.0.1"),
        ("network.protocol.version", "1.1"),
        ("user_agent.original", "test/1"),
        ("component.name", "app"),
    ] {
        assert_eq!(
            attributes.get(key).map(String::as_str),
            Some(value),
            "{key}"
        );
    }
    assert_eq!(attributes["component.sha256"].len(), 64);
    let id = response.header("x-request-id");
    assert_eq!(attributes.get("http.request.id").map(String::as_str), id);
    assert_eq!(received.resource["service.name"], "component-runner");
}

#[test]
fn otlp_starts_a_trace_for_a_request_without_one() {
    let collector = Collector::start();
    let host = app().flag("--otlp", collector.url()).start();
    for _ in 0..2 {
        assert_eq!(host.send(&encrypt("a")).status, 200);
    }
    let (first, second) = (collector.next().span, collector.next().span);
    assert_eq!((first.trace_id.len(), first.span_id.len()), (16, 8));
    assert!(first.parent_span_id.is_empty());
    assert_ne!(first.trace_id, second.trace_id);
}

#[test]
fn otlp_span_is_an_error_for_a_guest_failure_only() {
    let collector = Collector::start();
    let host = TestHost::serve_guest("unruly")
        .flag("--otlp", collector.url())
        .start();
    assert_eq!(host.send(&Request::new("GET", "/trap")).status, 500);
    let received = collector.next();
    let status = received.span.status.as_ref().expect("a status");
    assert_eq!(status.code, 2);
    assert_eq!(received.attributes()["error.type"], "trap");
}

#[test]
fn otlp_honours_the_sampled_flag_and_flushes_at_the_end() {
    let collector = Collector::start();
    let mut host = app().flag("--otlp", collector.url()).start();
    let unrecorded = encrypt("a").header("traceparent", &format!("00-{TRACE}-{PARENT}-00"));
    assert_eq!(host.send(&unrecorded).status, 200);
    assert_eq!(host.send(&encrypt("a")).status, 200);
    host.terminate();
    let span = collector.next().span;
    assert_ne!(hex(&span.trace_id), TRACE);
    assert!(collector.rest().is_empty());
}

#[test]
fn otlp_receiver_that_is_down_is_logged_and_blocks_no_request() {
    let collector = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("otlp://{}", listener.local_addr().expect("it is bound"))
    };
    let mut host = app()
        .flag("--otlp", &collector)
        .flag("--ops-addr", "127.0.0.1:0")
        .start();
    assert_eq!(host.send(&encrypt("a")).status, 200);
    let _ = host
        .log()
        .wait_for_entry(&["cannot send traces", &collector]);
    Operators::of(&host).wait_for(&[("trace_failing", 1.0)]);
    assert_eq!(host.send(&encrypt("a")).status, 200);
    assert_eq!(host.terminate().code(), Some(0));
}
