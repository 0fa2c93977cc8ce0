//! Tests of the keys of functions and of their middleware.

use super::*;
use crate::cli::serve;

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

/// The keys of pairs.
fn keys(given: &[(String, String)]) -> Vec<&str> {
    given.iter().map(|(key, _)| key.as_str()).collect()
}

fn read(given: &[(String, String)], flags: &[&str]) -> FunctionFlags {
    let defaults = serve(flags).unwrap().function_defaults;
    FunctionFlags::read(given, &keys(given), &defaults).unwrap()
}

fn settings(given: &[(String, String)], flags: &[&str]) -> FunctionSettings {
    read(given, flags).resolve().as_ref().clone().unwrap()
}

/// Settings of the middleware of `function`.
fn middleware(
    given: &[(String, String)],
    function: &FunctionFlags,
    flags: &[&str],
) -> FunctionSettings {
    let settings = read(given, flags).resolve_for_middleware(&keys(given), function);
    settings.as_ref().clone().unwrap()
}

#[test]
fn function_keys_take_precedence_over_flags_of_the_command_line() {
    let flags = [
        "--request-timeout=5",
        "--max-queue=7",
        "--env=A=1",
        "--env=B=1",
    ];
    let given = [pair("max-queue", "9"), pair("env", "B=2")];
    let settings = settings(&given, &flags);
    assert_eq!(settings.serving.request_timeout.as_secs(), 5);
    assert_eq!(settings.serving.max_queued, 9);
    let environment: Vec<_> = settings
        .environment
        .iter()
        .map(|variable| (variable.key.as_str(), variable.value.as_str()))
        .collect();
    assert_eq!(environment, [("A", "1"), ("B", "2")]);
}

#[test]
fn allow_outbound_of_a_function_replaces_that_of_the_command_line() {
    let given = [pair("allow-outbound", "https://b.example")];
    let settings = settings(&given, &["--allow-outbound=https://a.example"]);
    let allowed = settings.outbound.allowed;
    assert_eq!(allowed, ["https://b.example".parse().unwrap()]);
}

#[test]
fn an_empty_allow_outbound_of_a_function_permits_no_origin() {
    let serve = serve(&["--allow-outbound=https://a.example"]).unwrap();
    let flags = FunctionFlags::read(&[], &["allow-outbound"], &serve.function_defaults);
    let settings = flags.unwrap().resolve();
    let settings = settings.as_ref().clone().unwrap();
    assert!(settings.outbound.allowed.is_empty());
}

#[test]
fn max_concurrency_of_one_function_defaults_to_half_of_the_pool() {
    let instances = |given: &[(String, String)]| {
        let settings = settings(given, &["--max-concurrency=10"]);
        settings.limits.instances.get()
    };
    assert_eq!(instances(&[]), 5);
    assert_eq!(instances(&[pair("max-concurrency", "10")]), 10);
}

#[test]
fn middleware_has_defaults_of_the_command_line_and_only_the_queue_of_its_function() {
    let flags = ["--env=A=1", "--max-memory=1MiB", "--max-queue=3"];
    let given = [
        pair("env", "B=1"),
        pair("allow-outbound", "https://a.example"),
        pair("cpu-timeout", "3"),
        pair("max-queue", "5"),
        pair("max-concurrency", "7"),
        pair("queue-timeout", "9"),
    ];
    let settings = middleware(&[pair("env", "C=1")], &read(&given, &flags), &flags);
    let keys = settings.environment.iter().map(|variable| &*variable.key);
    assert_eq!(keys.collect::<Vec<_>>(), ["A", "C"]);
    assert!(settings.outbound.allowed.is_empty());
    assert_eq!(settings.limits.memory_bytes, 1 << 20);
    assert_eq!(settings.limits.cpu_time.as_secs(), 10);
    assert_eq!(settings.limits.instances.get(), 7);
    assert_eq!(settings.serving.max_queued, 5);
    assert_eq!(settings.serving.queue_timeout.as_secs(), 9);
}

#[test]
fn timeouts_of_middleware_default_to_those_of_its_function() {
    let flags = ["--request-timeout=40"];
    let given = [
        pair("request-timeout", "300"),
        pair("response-idle-timeout", "200"),
    ];
    let function = read(&given, &flags);
    let resolve = |given: &[(String, String)]| {
        let serving = middleware(given, &function, &flags).serving;
        [serving.request_timeout, serving.response_idle_timeout].map(|time| time.as_secs())
    };
    assert_eq!(resolve(&[pair("env", "A=1")]), [300, 200]);
    assert_eq!(resolve(&[pair("request-timeout", "5")]), [5, 200]);
    assert_eq!(resolve(&[pair("response-idle-timeout", "6")]), [300, 6]);
}

#[test]
fn debug_output_of_defaults_hides_secrets() {
    let serve = serve(&["--env=TOKEN=hunter2"]).unwrap();
    assert!(!format!("{serve:?}").contains("hunter2"));
}
